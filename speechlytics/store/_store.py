"""The store as the rest of the program sees it: a handle, and a writer that holds the lock."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.config import StoreConfig
from speechlytics.errors import StoreError
from speechlytics.records import Segment, Silence
from speechlytics.schema import DERIVED, TABLES
from speechlytics.sql import SqlFile
from speechlytics.store import (
    _catalog,
    _delta,
    _done,
    _files,
    _forgotten,
    _publish,
    _records,
    _shared,
)
from speechlytics.store._forgotten import Forgotten
from speechlytics.store._lease import lease
from speechlytics.store._lock import turn, writer_lock
from speechlytics.store._shared import audit_entry
from speechlytics.store.durable import Place

if TYPE_CHECKING:
    import duckdb

    from speechlytics.store._writer import Writer

GRACE_S = 24 * 3600.0
"""Superseded files stay this long, for readers that still have an older catalog open."""


class Store:
    """A handle on a store; making one touches nothing.

    Args:
        root: Folder, or URL of a bucket.
        storage_options: What reaching a bucket needs, in delta-rs's names; the rest comes from
            the environment.
        work_folder: Local folder for the lock, the spool and the catalog of a bucket; a folder
            of the user's cache unless given.
        sql: SQL files to load instead of the package's (tests).
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        storage_options: Mapping[str, str] | None = None,
        *,
        work_folder: str | os.PathLike[str] | None = None,
        sql: Sequence[SqlFile] | None = None,
    ) -> None:
        work = None if work_folder is None else os.fspath(work_folder)
        self.place = Place(os.fspath(root), dict(storage_options or {}), work_folder=work)
        self.sql = sql

    @classmethod
    def configured(cls, section: StoreConfig) -> Self:
        """The store that section ``[store]`` of a pipeline file names."""
        return cls(section.path, section.storage_options, work_folder=section.work)

    def __repr__(self) -> str:
        return f"Store({self.place.root!r})"

    def exists(self) -> bool:
        """Whether a store was set up here."""
        return _publish.read_state(self.place) is not None

    def connect(self) -> duckdb.DuckDBPyConnection:
        """A read-only DuckDB connection over every view; see :func:`speechlytics.store.connect`."""
        return _catalog.connect(self.place, self.sql)

    @contextlib.contextmanager
    def writer(self, run_id: str) -> Iterator[Writer]:
        """Become the one writer: finish what a killed run left, then publish its spooled calls.

        Raises:
            StoreLocked: another process writes to this store.
            StoreError: the store cannot be set up or mended.
        """
        from speechlytics.store._writer import Writer

        # the file lock ends at this machine's border, and a bucket has no border
        elsewhere = contextlib.nullcontext() if self.place.is_local else lease(self.place)
        with writer_lock(self.place.work), elsewhere:
            writer = Writer(self.place, self.sql, run_id)
            try:
                writer.open()
                yield writer
            finally:
                writer.close()

    def refresh(self) -> None:
        """Rebuild the catalog over what is published."""
        with turn(self.place.work):
            self._rebuild()

    def _rebuild(self) -> None:
        with contextlib.closing(_catalog.Builder(self.place, self.sql)) as builder:
            builder.refresh()

    def read(
        self,
        table: str,
        *,
        days: Iterable[date] | None = None,
        call_ids: Iterable[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Published rows of a table as Arrow, with today's columns.

        Args:
            table: Name of a table.
            days: Only these call dates (partitioned tables).
            call_ids: Only these calls.
            columns: Only these columns.

        Raises:
            StoreError: there is no store, or a file cannot be read.
        """
        state = _publish.read_state(self.place)
        if state is None:
            raise StoreError(f"{self.place.root}: no store here")
        wanted = list(columns) if columns is not None else TABLES[table].names
        only_days = None if days is None else {day.isoformat() for day in days}
        ids = None if call_ids is None else pa.array(list(call_ids), pa.string())
        delta = _delta.load(self.place, table, state.versions.get(table))
        parts = [pa.schema([TABLES[table].field(n) for n in wanted]).empty_table()]
        for file in _delta.live_files(delta):
            if only_days is not None and file.day not in only_days:
                continue
            if ids is None:
                parts.append(_files.read(self.place, table, file, wanted))
            else:
                read = _files.read(self.place, table, file, [*{*wanted, "call_id"}])
                parts.append(read.filter(pc.is_in(read.column("call_id"), ids)).select(wanted))
        return pa.concat_tables(parts)

    def done(self, since: date | None = None) -> _done.DoneCalls:
        """Calls that are published, by id; none when there is no store yet.

        Args:
            since: Leave out calls of earlier days.
        """
        state = _publish.read_state(self.place)
        schema = pa.schema([TABLES["calls"].field(n) for n in _done.COLUMNS])
        if state is None:
            return _done.DoneCalls([], schema.empty_table())
        first = "" if since is None else since.isoformat()
        files = _delta.live_files(_delta.load(self.place, "calls", state.versions["calls"]))
        parts = [
            _files.read(self.place, "calls", file, _done.COLUMNS)
            for file in files
            if (file.day or "") >= first
        ]
        return _done.DoneCalls(parts, schema.empty_table())

    def days(self, table: str = "calls") -> list[date]:
        """Call dates that have rows in a partitioned table, in order.

        Those of a derived table in an earlier version's layout are of no use and left out.
        """
        state = _publish.read_state(self.place)
        if state is None or table not in state.versions:
            return []
        files = _delta.live_files(_delta.load(self.place, table, state.versions[table]))
        useful = (None, _files.columns_sha256(table))
        return sorted(
            {
                date.fromisoformat(f.day)
                for f in files
                if f.day is not None and (table not in DERIVED or f.columns_sha256 in useful)
            }
        )

    def forgotten(self) -> Forgotten:
        """The calls and customers that were forgotten here and are not taken in again."""
        return _forgotten.read(self.place)

    def read_segments(self, day: date) -> dict[str, tuple[Segment, ...]]:
        """Segments of a day's calls as records, by call id."""
        return _records.segments_of(self.read("segments", days=[day]))

    def read_silences(self, day: date) -> dict[str, tuple[Silence, ...]]:
        """Silences of a day's calls as records, by call id."""
        return _records.silences_of(self.read("silences", days=[day]))

    def append_run(self, row: Mapping[str, Any]) -> None:
        """Record a run; a row of the same ``run_id`` is replaced."""
        self._put("runs", [row])

    def append_reviews(self, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
        """Record verdicts; a verdict with the same ``review_id`` is replaced."""
        self._put("reviews", rows)

    def append_audit(self, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
        """Record who listened, judged, exported or erased."""
        self._put("audit", rows)

    def note(
        self, action: str, *, call_id: str | None = None, run_id: str | None = None, **detail: Any
    ) -> None:
        """Record in the audit what the user of this machine did."""
        entry = audit_entry(_shared.machine_user(), action, call_id, detail, run_id or action)
        self.append_audit([entry])

    def replace_rules(self, rows: pa.Table | Iterable[Mapping[str, Any]]) -> None:
        """Store what the packs say now, in place of what they said before."""
        self._put("rules", rows, replace_all=True)

    def _put(
        self,
        table: _shared.SharedTable,
        rows: pa.Table | Iterable[Mapping[str, Any]],
        *,
        replace_all: bool = False,
    ) -> None:
        ready = _shared.to_table(table, rows)
        with turn(self.place.work):
            if not self.exists():
                _publish.set_up(self.place)
            _shared.put(self.place, table, ready, replace_all=replace_all)
            self._rebuild()
