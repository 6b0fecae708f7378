"""Plans a publication: which calls are there already, and which files change on which day."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date

import pyarrow as pa

from speechlytics.errors import StoreError
from speechlytics.schema import PARTITIONED, TABLES
from speechlytics.store import _delta
from speechlytics.store._files import LiveFile
from speechlytics.store._layout import (
    CallIds,
    Change,
    Partition,
    by_day,
    change_day,
)
from speechlytics.store.durable import Place


def plan(
    place: Place,
    ids: CallIds,
    tables: Mapping[str, pa.Table],
    *,
    call_ids: pa.Array,
) -> dict[str, Change]:
    """Write the files that a publication needs; nothing refers to them yet.

    Raises:
        StoreError: a file cannot be written; what was written is removed again.
    """
    changes: dict[str, list[Change]] = defaultdict(list)
    try:
        live = {name: _by_day(place, name) for name in PARTITIONED}
        calls = [file for files in live["calls"].values() for file in files]
        holders = ids.holders("calls", calls, call_ids)
        old_days = {file.day for file in holders if file.day is not None}
        _refuse_moved(ids, tables, holders)
        nobody = call_ids.slice(0, 0)
        for name, rows in tables.items():
            new = by_day(rows) if rows.num_rows else {}
            for day in sorted({*old_days, *new}):
                day_rows = new.get(day, rows.slice(0, 0))
                partition = Partition(name, day, tuple(live[name].get(day, ())))
                # A call has rows only where its row of calls is: elsewhere nothing is looked for.
                gone = call_ids if day in old_days else nobody
                changes[name].append(change_day(ids, partition, day_rows, gone))
    except Exception as error:
        discard(place, _merged(changes))
        if isinstance(error, (OSError, pa.ArrowException)):
            raise StoreError(
                f"{place.root}: cannot write: {error}; nothing was changed, "
                "free disk space or mend the disk and run again"
            ) from error
        raise
    return _merged(changes)


def _merged(changes: Mapping[str, Sequence[Change]]) -> dict[str, Change]:
    return {
        name: Change(
            tuple(file for part in parts for file in part.add),
            tuple(file for part in parts for file in part.remove),
        )
        for name, parts in changes.items()
    }


def discard(place: Place, changes: Mapping[str, Change]) -> None:
    """Remove files of a publication that will not happen."""
    for name, change in changes.items():
        for file in change.add:
            # Left over, it is an orphan that the sweep finds.
            with contextlib.suppress(OSError):
                place.remove(f"{name}/{file.path}", announce=False)


def _by_day(place: Place, table: str) -> dict[str, list[LiveFile]]:
    files: dict[str, list[LiveFile]] = defaultdict(list)
    for file in _delta.files_of(place, table)[1]:
        files[file.day or ""].append(file)
    return files


def _refuse_moved(ids: CallIds, tables: Mapping[str, pa.Table], holders: list[LiveFile]) -> None:
    """A call that moves to another day must bring its rows of every table."""
    missing = [name for name in PARTITIONED if name not in tables]
    if not missing:
        return
    columns = [tables["calls"].column(name).to_pylist() for name in ("call_id", "call_date")]
    days = dict(zip(*columns, strict=True))
    for file in holders:
        for call_id in ids.of("calls", file).to_pylist():
            if call_id in days and str(days[call_id]) != file.day:
                raise StoreError(
                    f"call {call_id!r} moves from {file.day} to {days[call_id]}, "
                    f"but {missing} are not given; publish all four tables"
                )


def crowded_days(place: Place, max_files: int) -> list[date]:
    """Days that hold more than ``max_files`` files of a table, in order."""
    return sorted(
        {
            date.fromisoformat(day)
            for name in PARTITIONED
            for day, live in _by_day(place, name).items()
            if len(live) > max_files
        }
    )


def plan_compaction(
    place: Place, ids: CallIds, days: set[str] | None, *, max_files: int
) -> dict[str, Change]:
    """Write merged files for days (``None``: all) with more than ``max_files`` in a table."""
    nothing = pa.array([], pa.string())
    changes: dict[str, list[Change]] = defaultdict(list)
    try:
        for name in PARTITIONED:
            for day, live in sorted(_by_day(place, name).items()):
                if (days is None or day in days) and len(live) > max_files:
                    partition = Partition(name, day, tuple(live))
                    empty = TABLES[name].empty_table()
                    change = change_day(ids, partition, empty, nothing, max_files)
                    changes[name].append(change)
    except Exception:
        discard(place, _merged(changes))
        raise
    return _merged(changes)
