"""Erases calls, or all calls of a customer, wherever the store keeps something of them.

The order makes a kill harmless. First stands what must not come back; then caches and memories go,
which only the stored calls lead to; then the calls themselves, and whoever writes next finishes
that. Recordings and the source's metadata are not the store's: they are listed and stay, unless
the recordings are to go as well.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from speechlytics.errors import ConfigError, StoreError
from speechlytics.export import forget_delivered
from speechlytics.nightly._vcon_sound import FOLDER, files_of
from speechlytics.sources import customer_key, load_or_create_key
from speechlytics.store import Store, Writer

Cached = Callable[[Store, Iterable[str]], list[Path]]
"""Files that somebody keeps of calls beside the store."""

ABOUT_CALLS = ("calls", "segments", "silences", "phrase_hits", "postings", "reviews", "audit")
_PLACED = """(
    SELECT named.call_id
    FROM postings AS named
    JOIN postings USING (call_date, call_no)
    WHERE named.call_id IS NOT NULL
)"""
"""Rows of postings, each with its call; only one row of a call names it."""
_PSEUDONYM = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Forgettable:
    """Whom to forget: calls by their ids, customers by their pseudonyms."""

    call_ids: tuple[str, ...] = ()
    customer_keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """What was erased, or would be (``dry_run``).

    Attributes:
        calls: Calls that were stored.
        rows: Rows by table.
        files: Files and memories by what they were.
        recordings: URIs of the recordings, which lie outside the store.
        recordings_deleted: Those that were deleted on demand.
        screens: URIs of screen captures; they stay.
        exports: Files that exports wrote earlier and that may hold these calls; they stay.
    """

    dry_run: bool
    calls: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    recordings: tuple[str, ...] = ()
    recordings_deleted: tuple[str, ...] = ()
    screens: tuple[str, ...] = ()
    exports: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class _Found:
    """The calls that are meant, and what lies outside the store of them."""

    call_ids: tuple[str, ...]
    stored: int
    recordings: tuple[str, ...]
    screens: tuple[str, ...]


def customer_keys(value: str, key_file: Path, region: str) -> tuple[str, ...]:
    """Pseudonyms that a number or another id of a customer stands for, or is itself.

    Raises:
        ConfigError: without the project's key file a number cannot be recognised, or the value
            names nobody.
    """
    keys = [value] if _PSEUDONYM.fullmatch(value) else []
    if key_file.exists():
        found = customer_key(value, load_or_create_key(key_file), region)
        keys += [] if found is None else [found]
    elif not keys:
        raise ConfigError(
            f"{key_file}: no key file here, and without the key that made the pseudonyms a number "
            "is not recognised; name it as store.key_file, or give the customer_key of a call"
        )
    if not keys:
        raise ConfigError(f"--customer {value!r} names nobody")
    return tuple(keys)


def forget(
    store: Store,
    wanted: Forgettable,
    *,
    cached: Cached,
    delete_recordings: bool = False,
    dry_run: bool = False,
) -> Erasure:
    """Erase calls from every table, cache and memory of the store, for good.

    Repeating it is harmless, and finishes what was killed.

    Args:
        store: The store; its lock is taken.
        wanted: Which calls, and whose.
        cached: What the review page keeps of calls.
        delete_recordings: Delete their recordings on this machine's disks, too.
        dry_run: Only say what would go; takes no lock.

    Raises:
        StoreLocked: a run is at work on this store.
        StoreError: there is no store, or something cannot be deleted.
    """
    if not store.exists():
        raise StoreError(f"{store.place.root}: no store here")
    if dry_run:
        return _preview(store, wanted, cached)
    at = datetime.now(UTC)
    run_id = f"forget-{at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    with store.writer(run_id) as writer:
        found = _find(store, wanted)
        exports = _exported(store)
        writer.forbid(found.call_ids, wanted.customer_keys, at)
        files = {
            "review page": _delete(cached(store, found.call_ids)),
            "recordings of vCons": _delete(_vcon_files(store, found.call_ids)),
            "rows that exports remember": forget_delivered(store, found.call_ids),
        }
        deleted = _delete_recordings(found.recordings) if delete_recordings else ()
        _unlink(store, writer, found.call_ids)
        removed = writer.remove_calls(found.call_ids)
        # a page that showed a call meanwhile may have kept something again
        files["review page"] += _delete(cached(store, found.call_ids))
        files["superseded files"] = len(removed.files)
        done = Erasure(
            False, found.stored, dict(removed.rows), files,
            tuple(uri for uri in found.recordings if uri not in deleted), deleted,
            found.screens, exports,
        )  # fmt: skip
        store.note("erase", run_id=run_id, calls=done.calls, rows=done.rows, files=done.files)
    return done


def _preview(store: Store, wanted: Forgettable, cached: Cached) -> Erasure:
    found = _find(store, wanted)
    ids = list(found.call_ids)
    rows = {}
    with store.connect() as connection:
        for table in ABOUT_CALLS:
            mine = _PLACED if table == "postings" else table
            query = f"SELECT count(*) FROM {mine} WHERE list_contains($1::VARCHAR[], call_id)"  # noqa: S608 - our names
            rows[table] = int(connection.execute(query, [ids]).fetchall()[0][0])
    files = {
        "review page": len(cached(store, ids)),
        "recordings of vCons": len(_vcon_files(store, ids)),
        "rows that exports remember": forget_delivered(store, ids, dry_run=True),
    }
    return Erasure(
        True, found.stored, rows, files, found.recordings, (), found.screens, _exported(store)
    )


def _find(store: Store, wanted: Forgettable) -> _Found:
    query = """
        SELECT call_id, coalesce(leg_uris, [recording_uri]), coalesce(screens, [])
        FROM calls
        WHERE list_contains($1::VARCHAR[], call_id) OR list_contains($2::VARCHAR[], customer_key)
        ORDER BY call_date, call_id
    """
    with store.connect() as connection:
        rows = connection.execute(
            query, [list(wanted.call_ids), list(wanted.customer_keys)]
        ).fetchall()
    own = f"{store.place.work / FOLDER}/"
    uris = dict.fromkeys(uri for _, listed, _ in rows for uri in listed if uri)
    screens = dict.fromkeys(screen["uri"] for _, _, listed in rows for screen in listed)
    return _Found(
        tuple(dict.fromkeys([*(call_id for call_id, _, _ in rows), *wanted.call_ids])),
        len(rows),
        tuple(uri for uri in uris if not uri.startswith(own)),
        tuple(screens),
    )


def _exported(store: Store) -> tuple[str, ...]:
    """Files that exports wrote, as the audit has them."""
    query = (
        "SELECT DISTINCT detail ->> 'out' AS out FROM audit "
        "WHERE action = 'export' AND out IS NOT NULL ORDER BY out"
    )
    with store.connect() as connection:
        return tuple(out for (out,) in connection.execute(query).fetchall())


def _vcon_files(store: Store, call_ids: Iterable[str]) -> list[Path]:
    return [path for call_id in call_ids for path in files_of(store, call_id)]


def _delete(files: Sequence[Path]) -> int:
    for path in files:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{path}: cannot be deleted: {error.strerror}") from error
    return len(files)


def _delete_recordings(uris: Sequence[str]) -> tuple[str, ...]:
    """Delete those that are files of this machine; which these were."""
    local = {uri: path for uri in uris if (path := _local(uri)) is not None and path.is_file()}
    _delete(list(local.values()))
    return tuple(local)


def _local(uri: str) -> Path | None:
    parts = urlsplit(uri)
    if "://" not in uri:
        return Path(uri)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _unlink(store: Store, writer: Writer, call_ids: Sequence[str]) -> None:
    """Other calls no longer say that they were transferred from these."""
    import pyarrow as pa

    query = """
        SELECT call_id, call_date FROM calls
        WHERE list_contains($1::VARCHAR[], transferred_from)
        AND NOT list_contains($1::VARCHAR[], call_id)
    """
    with store.connect() as connection:
        naming = connection.execute(query, [list(call_ids)]).fetchall()
    if not naming:
        return
    days = {day for _, day in naming}
    rows = store.read("calls", days=days, call_ids=[call_id for call_id, _ in naming])
    index = rows.schema.get_field_index("transferred_from")
    field_ = rows.schema.field(index)
    writer.publish({"calls": rows.set_column(index, field_, pa.nulls(len(rows), field_.type))})
