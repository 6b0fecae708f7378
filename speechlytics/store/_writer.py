"""The writer of a store: spools finished calls and publishes them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa

from speechlytics.errors import StoreError
from speechlytics.records import CallAnalysis
from speechlytics.sql import SqlFile
from speechlytics.store import _catalog, _erase, _forgotten, _plan, _postings, _publish, _spool
from speechlytics.store._checks import check
from speechlytics.store._layout import CallIds, Change
from speechlytics.store._lock import turn
from speechlytics.store._publish import Published, State
from speechlytics.store._rows import empty_tables, tables_from
from speechlytics.store.durable import Place

GRACE_S = 24 * 3600.0
"""Superseded files stay this long, for readers that still have an older catalog open."""
TIDY_FILES = 2
"""Files per day and table once a job is over: ten in all, and a late call rewrites no whole day."""
SPOOL_CALLS = 256
SPOOL_EVERY_S = 2.0
"""Finished calls are spooled when there are so many, or the last time was so long ago."""
PUBLISH_BYTES = 96 << 20
"""Spooled calls are published when they take so much memory, however few they are: 2,400 calls of
800 words, or 13,000 short ones, so that most days are written once and never merged."""


@dataclass(frozen=True, slots=True)
class Removed:
    """What an erasure took away: rows by table, and files that nobody could see any more."""

    rows: Mapping[str, int]
    files: tuple[str, ...]


class Writer:
    """The one writer of a store, for as long as :meth:`Store.writer` is open."""

    def __init__(self, place: Place, sql: Sequence[SqlFile] | None, run_id: str) -> None:
        self._place, self._run_id = replace(place, opened={}, listed={}), run_id
        self._builder = _catalog.Builder(self._place, sql)
        self._buffer: list[CallAnalysis] = []
        self._spooled_at = -SPOOL_EVERY_S
        self._ids = CallIds(self._place)
        self._spool = _spool.Spool(self._place.work)
        self._pending: set[str] = set()

    def open(self) -> None:
        """Finish what a killed run left; :meth:`Store.writer` does it."""
        _publish.roll_forward(self._place, self._refresh)
        before = _publish.read_state(self._place)
        with turn(self._place.work):
            state = _publish.set_up(self._place)
        if state != before or not (self._place.work / _catalog.NAME).exists():
            self._refresh()
        if self._spool.rotate():
            self.publish()
        if _erase.under_way(self._place):
            self.remove_calls(_erase.left_over(self._place))
            self.purge()

    @property
    def pending(self) -> int:
        """Calls that were added but are not published yet."""
        return len(self._pending) + len(self._buffer)

    def add(self, analyses: Sequence[CallAnalysis]) -> None:
        """Spool finished calls: they survive a kill and appear with the next publication.

        Calls that come fast are spooled together (an append costs as much as 20 calls); a kill
        in the two seconds meanwhile makes them be redone. What waits is published when it takes
        :data:`PUBLISH_BYTES`, so that memory stays flat.

        Raises:
            StoreError: the disk is full or fails.
        """
        self._buffer += analyses
        idle = time.monotonic() - self._spooled_at >= SPOOL_EVERY_S
        if len(self._buffer) >= SPOOL_CALLS or (self._buffer and idle):
            self.flush()
            self._publish_much()

    def flush(self) -> None:
        """Spool what :meth:`add` still holds back."""
        if self._buffer:
            self._append(tables_from(self._buffer, self._run_id))
            self._buffer.clear()

    def add_tables(self, tables: Mapping[str, pa.Table]) -> None:
        """Spool rows of whole calls, one table per partitioned table; otherwise as :meth:`add`."""
        check(tables, complete=True)
        self.flush()
        self._append(tables)
        self._publish_much()

    def _publish_much(self) -> None:
        if self._spool.size >= PUBLISH_BYTES:
            self.publish()

    def _append(self, tables: Mapping[str, pa.Table]) -> None:
        self._spool.append(tables)
        self._spooled_at = time.monotonic()
        self._pending.update(tables["calls"].column("call_id").to_pylist())

    def publish(self, tables: Mapping[str, pa.Table] | None = None) -> Published | None:
        """Make spooled calls visible, all at once, and then those of ``tables``, likewise.

        Stored rows of the same calls are replaced, in every table that is given and on every
        day. With nothing to publish it does nothing and returns ``None``.

        Args:
            tables: Rows per table; ``calls`` is required. A table left out keeps its rows,
                provided that no call moves to another day; spooled calls always bring all four.

        Raises:
            StoreError: a table does not fit, or cannot be written. Either nothing was changed
                or the publication is finished by the next call or run; spooled calls are kept.
        """
        self.flush()
        _publish.roll_forward(self._place, self._refresh)
        spooled = self._spool.rotate()
        published = None
        if spooled:
            frames = [frame for path in spooled for frame in self._spool.take(path)]
            published = self._commit(_spool.merge(frames), spooled)
        self._spool.published()
        self._pending.clear()
        if tables is not None:
            check(tables)
            published = self._commit(dict(tables), [])
        return published

    def forbid(self, call_ids: Iterable[str], customer_keys: Iterable[str], at: datetime) -> None:
        """Remember that these calls, and these customers' calls until then, must not come back."""
        _forgotten.add(self._place, call_ids, customer_keys, at)

    def remove_calls(self, call_ids: Iterable[str]) -> Removed:
        """Erase calls: their rows in every table, then every file that a reader cannot see.

        What was superseded, orphaned or named by earlier Delta versions goes at once, of other
        calls too. Killed in between, the next writer finishes what :meth:`forbid` names.

        Raises:
            StoreError: a table cannot be written; run it again.
        """
        self.publish()
        ids = sorted({call_id for call_id in call_ids if call_id})  # "" marks words of a day
        if not ids:
            return Removed({}, ())
        _erase.begin(self._place)
        # the calls last: while they are there, whoever goes on knows which they are
        shared = _erase.remove_shared(self._place, ids)
        nothing = _postings.with_postings(empty_tables())
        changes = _plan.plan(self._place, self._ids, nothing, call_ids=pa.array(ids, pa.string()))
        self._finish(changes, [], len(ids))
        return Removed(_erase.rows_lost(changes) | shared, self.purge())

    def purge(self) -> tuple[str, ...]:
        """Full vacuum: delete all that readers of the present catalog do not need, and say what.

        Readers that opened the catalog before lose files under their hands; they connect again.
        """
        return tuple(_erase.purge(self._place, self._refresh))

    def compact(self, days: Iterable[date] | None = None, *, max_files: int = 1) -> None:
        """Merge the small files of days, at most ``max_files`` per table remain."""
        self.publish()
        chosen = None if days is None else {day.isoformat() for day in days}
        changes = _plan.plan_compaction(self._place, self._ids, chosen, max_files=max_files)
        if changes:
            self._finish(changes, [])

    def tidy(self, *, max_files: int = TIDY_FILES) -> list[date]:
        """Compact every day that holds more files: the last step of whatever adds calls.

        Days that a killed job left are among them. Each day is a publication of its own, so that
        what is done stays done.

        Returns:
            The days compacted.

        Raises:
            StoreError: the disk is full or fails; every call is published nevertheless.
        """
        self.publish()
        days = _plan.crowded_days(self._place, max_files)
        for day in days:
            self.compact([day], max_files=max_files)
        return days

    def sweep(self, min_age_s: float = GRACE_S) -> list[str]:
        """Delete superseded files and orphans of killed runs that are older than that.

        Returns:
            The files deleted, relative to the store.
        """
        return _publish.sweep(self._place, min_age_s)

    def close(self) -> None:
        """Flush the spool; what it holds is published by the next :meth:`publish` or run."""
        with contextlib.ExitStack() as closing:
            closing.callback(self._builder.close)
            closing.callback(self._spool.rotate)
            self.flush()

    def _refresh(self) -> None:
        with turn(self._place.work):
            self._builder.refresh()

    def _commit(
        self,
        tables: Mapping[str, pa.Table],
        spooled: Sequence[Path],
    ) -> Published:
        call_ids = tables["calls"].column("call_id").combine_chunks()
        whole = _postings.with_postings(tables)
        changes = _plan.plan(self._place, self._ids, whole, call_ids=call_ids)
        return self._finish(changes, spooled, len(call_ids))

    def _finish(
        self, changes: Mapping[str, Change], spooled: Sequence[Path], calls: int = 0
    ) -> Published:
        before = _publish.read_state(self._place) or State()
        sequence = before.sequence + 1
        try:
            _publish.write_journal(self._place, sequence, changes, spooled, self._run_id)
        except Exception as error:
            # It may stand already (the flush after the rename failed): then the files are needed.
            if not _publish.has_journal(self._place):
                _plan.discard(self._place, changes)
            raise StoreError(f"{self._place.root}: cannot write the journal: {error}") from error
        _publish.roll_forward(self._place, self._refresh)
        return Published(
            sequence,
            calls,
            sum(len(change.add) for change in changes.values()),
            sum(len(change.remove) for change in changes.values()),
        )
