"""One table of the store: plain Parquet files under a Delta log.

Files are written by pyarrow (so that row groups, order and flushing are ours) and committed
through delta-rs as *add* and *remove* actions.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from speechlytics.errors import StoreError
from speechlytics.schema import DERIVED, PARTITION_KEY, PARTITIONED, SCHEMA_VERSION, TABLES
from speechlytics.store._files import LiveFile
from speechlytics.store.durable import Place, step, sync_file, sync_folder

APP_ID = "speechlytics"
"""Under this name each commit of a publication records its sequence number in the log."""

CONFIGURATION = {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 30 days",
}


class Conflict(StoreError):
    """Somebody else changed the same files of a table in the meantime."""


def load(place: Place, table: str, version: int | None = None) -> DeltaTable:
    """Open a table, at a version or at its latest.

    Raises:
        StoreError: it is not there, or its log cannot be read.
    """
    opened = {} if place.opened is None else place.opened
    delta: DeltaTable | None = opened.get(table)
    try:
        if delta is not None and version != delta.version():
            delta.update_incremental()
        if delta is None or version not in (None, delta.version()):
            options = dict(place.storage_options)
            delta = DeltaTable(place.uri(table), version=version, storage_options=options)
            opened.setdefault(table, delta)
    except (DeltaError, OSError) as error:
        raise StoreError(f"{place.uri(table)}: cannot be opened: {error}") from error
    return delta


def version_of(place: Place, table: str) -> int | None:
    """Latest version of a table, ``None`` while it does not exist."""
    try:
        return int(
            DeltaTable(place.uri(table), storage_options=dict(place.storage_options)).version()
        )
    except TableNotFoundError:
        return None
    except (DeltaError, OSError) as error:
        raise StoreError(f"{place.uri(table)}: cannot be opened: {error}") from error


def live_files(delta: DeltaTable) -> list[LiveFile]:
    """Files of the loaded version, by path."""
    actions = pa.table(delta.get_add_actions(flatten=True))

    def column(name: str) -> list[Any]:
        here = name in actions.column_names
        return actions.column(name).to_pylist() if here else [None] * actions.num_rows

    days = [None if d is None else str(d) for d in column(f"partition.{PARTITION_KEY}")]
    rows = zip(
        column("path"), column("size_bytes"), column("num_records"), days,
        column("min.call_id"), column("max.call_id"),
        strict=True,
    )  # fmt: skip
    files = (LiveFile(p, size, n or 0, d, low, high) for p, size, n, d, low, high in rows)
    return sorted(files, key=lambda f: f.path)


def files_of(place: Place, table: str, at: int | None = None) -> tuple[int, list[LiveFile]]:
    """A table's version (the latest, or ``at``) and its files; a writer remembers the last list.

    Raises:
        StoreError: it is not there, or its log cannot be read.
    """
    delta = load(place, table, at)
    shown = int(delta.version())
    listed = {} if place.listed is None else place.listed
    version, files = listed.get(table, (None, []))
    if version != shown:
        files = live_files(delta)
        listed[table] = shown, files
    return shown, files


def create(place: Place, table: str) -> int:
    """Create a table, or add the columns that today's schema has more; return its version.

    A derived table of another layout is emptied instead: it can be filled again.

    Raises:
        StoreError: a stored column has another type than today's schema, or is unknown to it.
    """
    if version_of(place, table) is None:
        if place.is_local:
            place.local(table).mkdir(parents=True, exist_ok=True)
        _create(place, table, "ignore")
    delta = load(place, table)
    if table in DERIVED and not _types(delta.schema()).items() <= _types(_schema(table)).items():
        _create(place, table, "overwrite")
        delta = load(place, table)
    _grow(place, table, delta)
    return int(delta.version())


def _create(place: Place, table: str, mode: Literal["ignore", "overwrite"]) -> None:
    step("commit", table)
    DeltaTable.create(
        place.uri(table),
        TABLES[table],
        mode=mode,
        partition_by=[PARTITION_KEY] if table in PARTITIONED else None,
        configuration=CONFIGURATION,
        storage_options=dict(place.storage_options),
        commit_properties=_metadata(None, None),
    )
    _sync_log(place, table)


def _schema(table: str) -> Schema:
    return Schema.from_arrow(TABLES[table])


def _types(schema: Schema) -> dict[str, str]:
    return {field.name: str(field.type) for field in schema.fields}


def _grow(place: Place, table: str, delta: DeltaTable) -> None:
    wanted = {f.name: f for f in _schema(table).fields}
    stored = {f.name: f for f in delta.schema().fields}
    for name, field in stored.items():
        known = wanted.get(name)
        if known is None:
            raise StoreError(
                f"{place.uri(table)}: column {name!r} is unknown to this version of speechlytics; "
                "the store was written by a newer one: upgrade"
            )
        if known.type != field.type:
            raise StoreError(
                f"{place.uri(table)}: column {name!r} is {field.type} but should be {known.type}; "
                "write into a new store"
            )
    added = [field for name, field in wanted.items() if name not in stored]
    if added:
        step("commit", table)
        delta.alter.add_columns(added, commit_properties=_metadata(None, None))
        _sync_log(place, table)


def commit(
    place: Place,
    table: str,
    add: Iterable[LiveFile],
    remove: Iterable[LiveFile],
    *,
    sequence: int | None = None,
    run_id: str | None = None,
) -> int:
    """Commit new and superseded files together; return the new version.

    ``sequence`` makes it idempotent: a table that has seen it is left alone.

    Raises:
        Conflict: somebody else removed the same files.
        StoreError: the log cannot be written.
    """
    delta = load(place, table)
    before = int(delta.version())
    if sequence is not None and (delta.transaction_version(APP_ID) or 0) >= sequence:
        return before
    new, gone = list(add), list(remove)
    now_ms = int(time.time() * 1000)
    actions: list[AddAction | RemoveAction] = [_add(f, now_ms) for f in new]
    actions += [RemoveAction(f.path, True, now_ms, f.size, _partition(f)) for f in gone]
    step("commit", table)
    try:
        delta.create_write_transaction(
            actions,
            "append",
            delta.schema(),
            [PARTITION_KEY] if table in PARTITIONED else None,
            commit_properties=_metadata(run_id, sequence),
        )
    except CommitFailedError as error:
        raise Conflict(
            f"{place.uri(table)}: another program changed the same files: {error}; run again"
        ) from error
    except (DeltaError, OSError) as error:
        raise StoreError(f"{place.uri(table)}: commit failed: {error}") from error
    delta.update_incremental()
    _sync_log(place, table)
    version = int(delta.version())
    if version == before + 1:
        _relist(place, table, version, new, gone)
    return version


def _relist(
    place: Place, table: str, version: int, new: list[LiveFile], gone: list[LiveFile]
) -> None:
    """Bring the remembered list to a version that is ours alone: reading it takes longer."""
    listed = {} if place.listed is None else place.listed
    before, files = listed.pop(table, (None, []))
    if before == version - 1:
        paths = {file.path for file in gone}
        files = [*(file for file in files if file.path not in paths), *new]
        listed[table] = version, sorted(files, key=lambda file: file.path)


def _partition(file: LiveFile) -> dict[str, str | None]:
    return {} if file.day is None else {PARTITION_KEY: file.day}


def _add(file: LiveFile, now_ms: int) -> AddAction:
    stats: dict[str, Any] = {"numRecords": file.rows, "nullCount": {}}
    if file.min_call_id is not None:
        stats["minValues"] = {"call_id": file.min_call_id}
        stats["maxValues"] = {"call_id": file.max_call_id}
    return AddAction(file.path, file.size, _partition(file), now_ms, True, json.dumps(stats))


def _metadata(run_id: str | None, sequence: int | None) -> CommitProperties:
    metadata = {"schema_version": str(SCHEMA_VERSION)}
    if run_id is not None:
        metadata["run_id"] = run_id
    seen = None if sequence is None else [Transaction(APP_ID, sequence)]
    return CommitProperties(custom_metadata=metadata, app_transactions=seen)


def _sync_log(place: Place, table: str) -> None:
    """delta-rs does not flush its log; do it, so that a power cut cannot undo a commit."""
    if not place.is_local:
        return
    log = place.local(f"{table}/_delta_log")
    newest: Path | None = max(log.glob("*.json"), default=None)
    if newest is not None:
        sync_file(newest)
    sync_folder(log)


def unreferenced(place: Place, table: str, shown: int | None, min_age_s: float) -> list[str]:
    """Files that no version needs any more, relative to the table.

    That is: superseded at least ``min_age_s`` ago (whole hours, rounded up), or mentioned by no
    commit and last written that long ago. Files of version ``shown`` are never among them.
    """
    return list(
        load(place, table).vacuum(
            retention_hours=math.ceil(min_age_s / 3600),
            dry_run=True,
            enforce_retention_duration=False,
            full=True,
            keep_versions=None if shown is None else [shown],
        )
    )
