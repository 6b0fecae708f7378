"""The small shared tables: ``rules``, ``reviews``, ``runs`` and ``audit``.

Several processes write them (the nightly run, the review page, imports) without the writer's
lock. Each change is one Delta commit, made in a short turn, and shows at once: the catalog is
rebuilt over the calls as last published, whatever a run has committed of its next publication.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.errors import StoreError
from speechlytics.schema import TABLES
from speechlytics.store import _delta, _files
from speechlytics.store._files import LiveFile
from speechlytics.store.durable import Place

SharedTable = Literal["rules", "reviews", "runs", "audit"]
KEYS: Mapping[str, str | None] = {
    "rules": None, "reviews": "review_id", "runs": "run_id", "audit": "audit_id",
}  # fmt: skip
"""Column by which a row replaces an earlier one."""
MAX_FILES = 16
"""Files of a shared table before they are merged into one."""
ROWS_PER_GROUP = 10_000
ERASED = '{"erased": true}'
"""What stands in the place of a text that named an erased call."""
ATTEMPTS = 5
"""Tries against programs that do not take turns (another Delta writer)."""


def to_table(table: SharedTable, rows: pa.Table | Iterable[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table with exactly the columns of the schema.

    Raises:
        StoreError: an unknown column, or a value that does not fit.
    """
    schema = TABLES[table]
    try:
        if isinstance(rows, pa.Table):
            return rows.select(schema.names).cast(schema)
        listed = [dict(row) for row in rows]
        for row in listed:
            if unknown := row.keys() - set(schema.names):
                raise StoreError(f"{table}: unknown columns {sorted(unknown)}")
        return pa.Table.from_pylist(listed, schema=schema)
    except (pa.ArrowException, KeyError) as error:
        raise StoreError(f"{table}: rows do not fit the schema: {error}") from error


def put(place: Place, table: SharedTable, rows: pa.Table, *, replace_all: bool = False) -> None:
    """Add rows; a row whose key is there already replaces it. The caller has the turn.

    Raises:
        StoreError: the table cannot be written, or another program keeps changing it.
    """
    for attempt in range(1, ATTEMPTS + 1):
        files = _delta.live_files(_delta.load(place, table))
        stale = list(files) if replace_all else _stale(place, table, files, rows)
        if not replace_all and len(files) >= MAX_FILES:
            stale = list(files)
        kept = [] if replace_all else [_kept(place, table, f, rows) for f in stale]
        merged = pa.concat_tables([*kept, rows])
        add: list[LiveFile] = []
        try:
            if merged.num_rows:
                add = [_files.write(place, table, [merged], None, ROWS_PER_GROUP)]
            if add or stale:
                _delta.commit(place, table, add, stale)
        except _delta.Conflict:
            if attempt == ATTEMPTS:
                raise
        except OSError as error:
            raise StoreError(f"{place.uri(table)}: cannot be written: {error}") from error
        else:
            return


def _stale(
    place: Place, table: SharedTable, files: list[LiveFile], rows: pa.Table
) -> list[LiveFile]:
    key = KEYS[table]
    if key is None or table == "audit":
        # Audit entries are new by construction; looking for them would read the whole table.
        return []
    keys = rows.column(key).combine_chunks()
    return [
        file
        for file in files
        if pc.any(pc.is_in(_files.read(place, table, file, [key]).column(key), keys)).as_py()
    ]


def _kept(place: Place, table: SharedTable, file: LiveFile, rows: pa.Table) -> pa.Table:
    stored = _files.read(place, table, file)
    key = KEYS[table]
    if key is None:
        return stored
    keys = rows.column(key).combine_chunks()
    return stored.filter(pc.invert(pc.is_in(stored.column(key), keys)))


def machine_user() -> str:
    """Who is logged in on this machine; a container may know a number only."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"


def audit_entry(
    actor: str, action: str, call_id: str | None, detail: Mapping[str, Any], run_id: str
) -> dict[str, Any]:
    """A row of ``audit``, as of now."""
    return {
        "audit_id": uuid.uuid4().hex,
        "at": datetime.now(UTC),
        "actor": actor,
        "action": action,
        "call_id": call_id,
        "detail": json.dumps(detail, ensure_ascii=False) if detail else None,
        "run_id": run_id,
    }


def remove_calls(place: Place, table: SharedTable, call_ids: Sequence[str]) -> int:
    """Delete the rows about these calls, and blank what other rows tell of them.

    The detail of an audit entry (a query, say) may name a call that the entry is not about. The
    caller has the turn.

    Returns:
        Rows deleted.
    """
    ids = pa.array(call_ids, pa.string())
    stale, kept, deleted = [], [], 0
    for file in _delta.live_files(_delta.load(place, table)):
        rows = _files.read(place, table, file)
        # a row about no call (NULL) is kept
        about = pc.fill_null(pc.is_in(rows.column("call_id"), value_set=ids), False)
        left = rows.filter(pc.invert(about))
        if "detail" in left.column_names:
            left = without_mentions(left, "detail", call_ids)
        if not left.equals(rows):
            stale.append(file)
            kept.append(left)
            deleted += rows.num_rows - left.num_rows
    if stale:
        merged = pa.concat_tables(kept)
        try:
            add = (
                [_files.write(place, table, [merged], None, ROWS_PER_GROUP)] if len(merged) else []
            )
        except OSError as error:
            raise StoreError(f"{place.uri(table)}: cannot be written: {error}") from error
        _delta.commit(place, table, add, stale)
    return deleted


def without_mentions(rows: pa.Table, column: str, call_ids: Sequence[str]) -> pa.Table:
    """Rows whose text names one of the calls, as a word of its own, with that text taken away."""
    texts = rows.column(column).to_pylist()
    words = "|".join(map(re.escape, sorted(call_ids, key=len, reverse=True)))
    naming = re.compile(rf"(?<![\w.\-])(?:{words})(?![\w\-]|\.\w)")
    clean = [ERASED if text is not None and naming.search(text) else text for text in texts]
    if clean == texts:
        return rows
    field = rows.schema.field(column)
    place = rows.schema.get_field_index(column)
    return rows.set_column(place, field, pa.array(clean, field.type))
