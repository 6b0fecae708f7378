"""Which files a publication writes and which it supersedes, per table and day.

New calls become a new file. A call that is there already takes its file with it: the file is
written again without it. When a day would hold more than :data:`MAX_FILES` files, the smallest
are merged; the largest are left alone, so that a row is rewritten only a few times however
often a night publishes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.store import _files, _postings
from speechlytics.store._files import LiveFile
from speechlytics.store.durable import Place

MAX_FILES = 8
"""Files per day and table after a publication; more would make reading slow."""
KEPT_FILES = 4
"""Files that a merge leaves alone, the largest ones."""
CALLS_PER_GROUP = 500
"""Calls in a Parquet row group: small enough to read one call, large enough to scan a day."""

MAX_GROUP_ROWS = 2_048
"""Rows of a row group at most: so much text is read for one segment that a search found."""

SMALL_ROWS = 5_000
"""Rows of a row group of the tables without text: to begin one takes as long as 100 of its rows."""

ORDER = {
    "calls": ("call_id",),
    "segments": ("call_id", "segment_id"),
    "silences": ("call_id", "silence_id"),
    "phrase_hits": ("call_id", "hit_id"),
}
"""Order of rows in a file: by call, so that a row group holds few calls and all their rows."""


@dataclass(frozen=True, slots=True)
class Change:
    """New files and superseded ones of one table."""

    add: tuple[LiveFile, ...] = ()
    remove: tuple[LiveFile, ...] = ()


def contains(file: LiveFile, low: str, high: str) -> bool:
    """Whether a file may hold a call id between ``low`` and ``high``, by its bounds."""
    if file.rows == 0:
        return False
    if file.min_call_id is None or file.max_call_id is None:
        return True
    return not (file.max_call_id < low or file.min_call_id > high)


class CallIds:
    """Call ids of files, read once: files never change. Only ``calls`` is small enough to keep."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self._calls: dict[str, pa.ChunkedArray] = {}

    def of(self, table: str, file: LiveFile) -> pa.ChunkedArray:
        """Column ``call_id`` of a file."""
        if table == "calls" and file.path in self._calls:
            return self._calls[file.path]
        column = _files.read(self.place, table, file, ["call_id"]).column("call_id")
        if table == "calls":
            self._calls[file.path] = column
        return column

    def holders(self, table: str, files: Iterable[LiveFile], call_ids: pa.Array) -> list[LiveFile]:
        """Those of ``files`` that hold rows of any of the calls."""
        if len(call_ids) == 0:
            return []
        bounds = pc.min_max(call_ids).as_py()
        return [
            file
            for file in files
            if contains(file, bounds["min"], bounds["max"])
            and pc.any(pc.is_in(self.of(table, file), value_set=call_ids)).as_py()
        ]


@dataclass(frozen=True, slots=True)
class Partition:
    """One day of one table as it is now."""

    table: str
    day: str
    live: tuple[LiveFile, ...]


def change_day(
    ids: CallIds,
    partition: Partition,
    rows: pa.Table,
    replaced: pa.Array,
    max_files: int = MAX_FILES,
) -> Change:
    """Write what a day of a table should hold in addition, without the replaced calls.

    Args:
        ids: Call ids of the store's files.
        partition: The day as it is.
        rows: New rows of that day; may be empty.
        replaced: Ids of calls whose stored rows go away.
        max_files: Files that the day may hold before the smallest are merged.
    """
    place, table = ids.place, partition.table
    stale = ids.holders(table, partition.live, replaced)
    untouched = [file for file in partition.live if file not in stale]
    merged = _to_merge(untouched, max_files, bool(stale or rows.num_rows))
    parts = [_files.read(place, table, file) for file in [*stale, *merged]]
    if stale:
        parts = [_without(table, part, replaced) for part in parts]
    parts = [part for part in [*parts, rows] if part.num_rows]
    add: tuple[LiveFile, ...] = ()
    if parts:
        add = (_write(place, table, parts, partition.day),)
    return Change(add, (*stale, *merged))


def _to_merge(files: list[LiveFile], max_files: int, one_more: bool) -> list[LiveFile]:
    if len(files) + one_more <= max_files:
        return []
    spared = min(KEPT_FILES, max_files - 1)
    by_size = sorted(files, key=lambda f: (f.size, f.path))
    return by_size[: len(files) - spared]


def _without(table: str, rows: pa.Table, call_ids: pa.Array) -> pa.Table:
    if table == _postings.TABLE:
        return _postings.without_calls(rows, call_ids)
    return rows.filter(pc.invert(pc.is_in(rows.column("call_id"), value_set=call_ids)))


def _write(place: Place, table: str, parts: list[pa.Table], day: str) -> LiveFile:
    if table == _postings.TABLE:
        kinds = _postings.in_order(parts)
        return _files.write(place, table, kinds, day, _postings.ROWS_PER_GROUP)
    # Files of other calls follow each other as they are.
    rows = pa.concat_tables(sorted(parts, key=lambda part: str(part.column("call_id")[0])))
    size = _group_rows(rows) if table == "segments" else SMALL_ROWS
    return _files.write(place, table, in_order(table, rows, size), day, size)


def in_order(table: str, rows: pa.Table, size: int) -> Iterator[pa.Table]:
    """Rows in file order, ``size`` at a time: a sorted copy of them all would be as large again.

    Rows that are sorted already are not moved at all.
    """
    keys = [(name, "ascending") for name in ORDER[table]]
    order = pc.sort_indices(rows.select([k for k, _ in keys]), sort_keys=keys).to_numpy()
    if bool((order[1:] > order[:-1]).all()):
        yield rows
        return
    if rows.num_rows > size:
        moved = np.abs(order.astype(np.int64) - np.arange(len(order))).max()
        if moved > size:  # else what a group needs lies close together
            rows = rows.combine_chunks()
    for first in range(0, len(order), size):
        chosen = order[first : first + size]
        low = int(chosen.min())
        near = rows.slice(low, int(chosen.max()) + 1 - low)
        yield near.take(pa.array(chosen - low))


def _group_rows(rows: pa.Table) -> int:
    """Rows per row group, so that a group holds :data:`CALLS_PER_GROUP` calls or few long ones."""
    calls = max(1, int(pc.count_distinct(rows.column("call_id")).as_py()))
    count: int = rows.num_rows
    return min(max(1, -(-count * CALLS_PER_GROUP // calls)), MAX_GROUP_ROWS)


def by_day(rows: pa.Table) -> Mapping[str, pa.Table]:
    """Rows grouped by their ``call_date`` as ISO text."""
    column = rows.column("call_date")
    days = sorted(pc.unique(column).to_pylist())
    if len(days) == 1:
        return {days[0].isoformat(): rows}
    return {
        day.isoformat(): rows.filter(pc.equal(column, pa.scalar(day, column.type))) for day in days
    }
