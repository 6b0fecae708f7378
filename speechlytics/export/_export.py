"""Exports a view: chooses columns and rows, writes the file, remembers what was delivered."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from speechlytics.errors import ConfigError, StoreError
from speechlytics.export import _cursor
from speechlytics.export._formats import WRITERS
from speechlytics.export._rows import as_json
from speechlytics.store import Store, durable

if TYPE_CHECKING:
    import duckdb

Form = Literal["csv", "jsonl", "xlsx", "parquet"]
ALIASES: Mapping[str, str] = {"silence-alerts": "silence_alerts", "unresolved": "unresolved_calls"}
"""What users say → name of the view."""
IDENTITY: Mapping[str, tuple[str, ...]] = {
    "silence_alerts": ("call_id", "silence_id"),
    "unresolved_calls": ("call_id",),
    "failures": ("call_id",),
}
"""Columns that identify a row of a view; of other views a row is all its columns."""
DATE_COLUMNS = ("call_date", "day", "started_local")
"""Columns that ``since`` and ``until`` look at, the first that a view has."""
BATCH_ROWS = 10_000


@dataclass(frozen=True, slots=True)
class Exported:
    """Rows written, and the file; ``None`` when there was nothing new."""

    rows: int
    path: Path | None


def export(
    store: Store,
    what: str,
    out: Path,
    *,
    form: Form | None = None,
    since: date | None = None,
    until: date | None = None,
    new: bool = False,
) -> Exported:
    """Write a view to a file.

    Args:
        store: The store.
        what: ``silence-alerts``, ``unresolved``, or the name of any view or table.
        out: The file; it appears whole or not at all. With ``new`` it may hold ``%Y``-like
            date marks, and what it delivered before is never overwritten: while ``alerts.csv``
            is still there, the next delivery is ``alerts-2.csv``.
        form: ``csv``, ``jsonl``, ``xlsx`` or ``parquet``; by default from the ending of ``out``.
        since: First call date, included.
        until: Last call date, included.
        new: Only rows that this target never got. A target is the pair of view and ``out`` as
            written, whatever the form.

    Raises:
        ConfigError: no such view or form, or the view has no date to filter by.
        StoreError: there is no store, or the file cannot be written.
    """
    view = ALIASES.get(what, what)
    chosen = _form(out, form)
    target = out if new else out.expanduser().absolute()
    try:
        if not new:
            target.parent.mkdir(parents=True, exist_ok=True)
            rows, temporary = _write(store, view, chosen, target, since, until, None)
            store.note("export", what=view, out=str(target), rows=rows)
            durable.replace_file(temporary, target)
            return Exported(rows, target)
        absolute = out.expanduser().absolute()
        with _cursor.opened(store.place.work, view, str(absolute)) as cursor:
            return _deliver(store, view, chosen, absolute, since, until, cursor)
    except OSError as error:
        raise StoreError(f"{out}: cannot be written: {error}") from error


def _deliver(
    store: Store,
    view: str,
    form: Form,
    out: Path,
    since: date | None,
    until: date | None,
    cursor: _cursor.Cursor,
) -> Exported:
    dated = Path(date.today().strftime(str(out)))
    dated.parent.mkdir(parents=True, exist_ok=True)
    target = _free(dated)
    ids: dict[bytes, None] = {}

    def take(identity: bytes) -> bool:
        if cursor.knows(identity) or identity in ids:
            return False
        ids[identity] = None
        return True

    rows, temporary = _write(store, view, form, target, since, until, take)
    if rows == 0:
        temporary.unlink()
        return Exported(0, None)
    durable.sync_file(temporary)
    store.note("export", what=view, out=str(target), rows=rows)
    cursor.deliver(_cursor.Delivery(temporary, target, tuple(ids)))
    return Exported(rows, target)


def _free(path: Path) -> Path:
    """The path, or the first of ``NAME-2``, ``NAME-3``, … that is not taken."""
    candidate, number = path, 2
    while candidate.exists():
        candidate = path.with_stem(f"{path.stem}-{number}")
        number += 1
    return candidate


def _write(
    store: Store,
    view: str,
    form: Form,
    target: Path,
    since: date | None,
    until: date | None,
    take: Callable[[bytes], bool] | None,
) -> tuple[int, Path]:
    """Write the rows beside the target; return their number and the temporary file."""
    # A target has one delivery at a time, so a part that a killed one left is overwritten.
    unique = os.getpid() if take is None else "new"
    temporary = target.with_name(f".{target.name}.{unique}.part")
    durable.step("write", str(target))
    count = 0
    try:
        with store.connect() as connection:
            _check_view(connection, view, store)
            reader = _query(connection, view, since, until)

            def batches() -> Iterator[pa.RecordBatch]:
                nonlocal count
                for batch in reader:
                    kept = batch if take is None else _new_rows(view, batch, take)
                    count += kept.num_rows
                    yield kept

            WRITERS[form](temporary, reader.schema, batches())
    except Exception:
        temporary.unlink(missing_ok=True)
        raise
    return count, temporary


def _query(
    connection: duckdb.DuckDBPyConnection, view: str, since: date | None, until: date | None
) -> pa.RecordBatchReader:
    # Instants leave in UTC, whatever zone this machine is in.
    connection.execute("SET TimeZone = 'UTC'")
    columns = [row[0] for row in connection.execute(f'DESCRIBE "{view}"').fetchall()]
    conditions = []
    if since is not None or until is not None:
        dates = [name for name in DATE_COLUMNS if name in columns]
        if not dates:
            raise ConfigError(
                f"{view}: has none of the columns {', '.join(DATE_COLUMNS)}; "
                "export it without --since and --until"
            )
        # Literals, not parameters: only a literal day leaves other days' files unopened.
        if since is not None:
            conditions.append(f"{dates[0]}::DATE >= DATE '{since.isoformat()}'")
        if until is not None:
            conditions.append(f"{dates[0]}::DATE <= DATE '{until.isoformat()}'")
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    return connection.sql(f'FROM "{view}"{where}').to_arrow_reader(BATCH_ROWS)


def _check_view(connection: duckdb.DuckDBPyConnection, view: str, store: Store) -> None:
    query = "SELECT view_name FROM duckdb_views() WHERE NOT internal AND schema_name = 'main'"
    known = sorted(row[0] for row in connection.execute(query).fetchall())
    if view not in known:
        raise ConfigError(
            f"{view!r}: no such view in {store.place.root}; "
            f"there are {', '.join([*sorted(ALIASES), *known])}"
        )


def _new_rows(view: str, batch: pa.RecordBatch, take: Callable[[bytes], bool]) -> pa.RecordBatch:
    columns = IDENTITY.get(view, tuple(batch.schema.names))
    if not set(columns) <= set(batch.schema.names):
        columns = tuple(batch.schema.names)
    keys = batch.select(list(columns)).to_pylist()
    return batch.filter(pa.array([take(identity(key)) for key in keys], pa.bool_()))


def identity(key: Mapping[str, Any]) -> bytes:
    """What the memory of a target keeps of a row: the hash of its identifying values."""
    text = as_json(list(key.values())).encode()
    return hashlib.blake2b(text, digest_size=_cursor.ID_BYTES).digest()


def _form(out: Path, form: Form | None) -> Form:
    named = form or out.suffix.removeprefix(".").lower()
    for known in WRITERS:
        if named == known:
            return known  # type: ignore[return-value]  # the keys are exactly Form's values
    raise ConfigError(
        f"{out}: cannot tell the form from its ending; give --format {'|'.join(WRITERS)}"
    )
