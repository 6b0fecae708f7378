"""Erasing calls for good: their rows, the files that held them, and the logs that named those.

A marker file is written before the first row goes and taken away when nothing is left: while it
is there, the next writer finishes what a killed one left.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from deltalake.exceptions import DeltaError

from speechlytics.errors import StoreError
from speechlytics.schema import PARTITIONED, TABLES
from speechlytics.store import _delta, _files, _forgotten, _publish, _shared
from speechlytics.store._layout import Change
from speechlytics.store._lock import turn
from speechlytics.store.durable import Place, step, sync_file, sync_folder

MARKER = "_erasing.json"
ABOUT_CALLS: tuple[_shared.SharedTable, ...] = ("reviews", "audit")
"""Shared tables with rows about one call."""


def begin(place: Place) -> None:
    """From here on the next writer purges the store, whatever dies."""
    place.write_json(MARKER, {"purge": True})


def under_way(place: Place) -> bool:
    """Whether an erasure was begun and not finished."""
    return place.read_json(MARKER) is not None


def left_over(place: Place) -> list[str]:
    """Stored calls that were to be forgotten."""
    forgotten = _forgotten.read(place)
    files = _delta.live_files(_delta.load(place, "calls"))
    ids = (_files.read(place, "calls", file, ["call_id"]).column(0) for file in files)
    return [i for column in ids for i in column.to_pylist() if forgotten.call(i)]


def rows_lost(changes: Mapping[str, Change]) -> dict[str, int]:
    """Rows that a publication takes away, by table."""
    return {
        name: sum(file.rows for file in change.remove) - sum(file.rows for file in change.add)
        for name, change in changes.items()
    }


def remove_shared(place: Place, call_ids: Sequence[str]) -> dict[str, int]:
    """Delete what the shared tables hold about these calls; rows deleted by table."""
    with turn(place.work):
        return {name: _shared.remove_calls(place, name, call_ids) for name in ABOUT_CALLS}


def purge(place: Place, refresh: Callable[[], None]) -> list[str]:
    """Delete every file and log entry that the store as it is does not need.

    Returns:
        The files deleted, relative to the store.

    Raises:
        StoreError: another program changed a table meanwhile; the next writer goes on.
    """
    refresh()
    deleted = _publish.sweep(place, 0.0)
    state = _publish.read_state(place) or _publish.State()
    for table in TABLES:
        with turn(place.work):
            version = _delta.load(place, table).version()
            if state.versions.get(table, version) != version:
                raise StoreError(
                    f"{place.uri(table)}: another program changed it while calls were erased; "
                    "run this again"
                )
            _fold_log(place, table)
    for table in PARTITIONED:
        place.remove_empty_days(table)
    place.remove(MARKER)
    return deleted


def _fold_log(place: Place, table: str) -> None:
    """Keep the log's present state as a checkpoint and delete what led to it.

    Earlier entries name superseded files with the bounds of their call ids. Afterwards no reader
    can ask for an earlier version. The caller has the turn.

    Raises:
        StoreError: the checkpoint cannot be written; the log is as it was then.
    """
    delta = _delta.load(place, table)
    step("commit", table)
    try:
        delta.create_checkpoint()
    except (DeltaError, OSError) as error:
        raise StoreError(f"{place.uri(table)}: checkpoint failed: {error}") from error
    version, log = int(delta.version()), f"{table}/_delta_log"
    names = place.names(log)
    if place.is_local:
        for name in names:
            if name.startswith((f"{version:020d}.", "_last")):
                sync_file(place.local(f"{log}/{name}"))
        sync_folder(place.local(log))
    for name in names:
        number = name[:20]
        # what follows a "#" is the temporary name of a commit that was killed
        if number.isdecimal() and (int(number) < version or "#" in name):
            place.remove(f"{log}/{name}")
