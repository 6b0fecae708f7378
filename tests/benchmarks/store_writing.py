"""What writing a call costs: a night as the job has it, part by part, and rows that come as tables.

Calls are made outside the clock, a few hundred at a time, and finish in a slightly other order
than they began. All times are CPU of all threads.
"""

from __future__ import annotations

import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow as pa

from speechlytics.config import RunConfig
from speechlytics.records import CallAnalysis
from speechlytics.schema import CALL_TABLES, PARTITIONED
from speechlytics.store import Store, Writer, _files, tables_from
from speechlytics.store._postings import postings_of
from speechlytics.store._spool import Spool, merge
from speechlytics.store._writer import SPOOL_CALLS
from speechlytics.store.durable import Place
from tests.benchmarks.synthetic_store import Dialogues

DAY = date(2026, 11, 2)
INTERIM_CALLS = 1000
"""Calls between two publications of a slow night: 11 of them in a day of 11,000 calls."""
DISORDER_CALLS = 32
"""So many calls are under way at a time: that far from its place a call may finish."""
MADE_CALLS = 1024
"""Calls that are made at a time: more than fast calls are spooled together."""
TABLE_CALLS = 500
"""Calls of a batch of tables, as an import has it."""


@dataclass
class Clock:
    """CPU seconds by what they were spent on."""

    spent_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """Count the block under this name."""
        started = time.process_time()
        yield
        self.spent_s[name] = self.spent_s.get(name, 0.0) + time.process_time() - started


def finished(calls: int) -> Iterator[list[CallAnalysis]]:
    """Calls of 10 segments and 100 words in the order in which they end, some at a time."""
    dialogues = Dialogues(seed=2)
    noise = np.random.default_rng(2).uniform(0, DISORDER_CALLS, calls)
    order = iter(np.argsort(np.arange(calls) + noise).tolist())
    while some := list(islice(order, MADE_CALLS)):
        yield [dialogues.analysis(f"c{n:06}", DAY, segments=10, words=100) for n in some]


def night(calls: int, publish_every_calls: int) -> tuple[Clock, int, dict[str, float]]:
    """A night of one day's calls, added and published as the job does and tidied at its end.

    Returns:
        CPU seconds, files of the day, bytes per call of each table.
    """
    clock = Clock()
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / "store")
        with store.writer("benchmark") as writer:
            kept: deque[list[CallAnalysis]] = deque(maxlen=2)  # to free calls is not our cost
            for some in finished(calls):
                kept.append(some)
                with clock.of("written"):
                    _add(writer, some, publish_every_calls)
            with clock.of("written"):
                writer.publish()
            with clock.of("tidied"):
                writer.tidy()
            writer.sweep(0.0)
        found = {name: _parquet(store, name) for name in PARTITIONED}
        return (
            clock,
            sum(map(len, found.values())),
            {name: sum(p.stat().st_size for p in paths) / calls for name, paths in found.items()},
        )


def _add(writer: Writer, analyses: list[CallAnalysis], publish_every_calls: int) -> None:
    for analysis in analyses:
        writer.add([analysis])
        if writer.pending >= publish_every_calls:
            writer.publish()


def _parquet(store: Store, table: str) -> list[Path]:
    return list(store.place.local(table).glob("**/*.parquet"))


def as_tables(batches: list[dict[str, pa.Table]], *, at_once: bool) -> float:
    """CPU seconds for rows that come as tables: spooled in batches, or published at once."""
    clock = Clock()
    with (
        tempfile.TemporaryDirectory() as scratch,
        Store(Path(scratch) / "store").writer("benchmark") as writer,
        clock.of("tables"),
    ):
        if at_once:
            writer.publish(_joined(batches))
        else:
            for batch in batches:
                writer.add_tables(batch)
            writer.publish()
        writer.tidy()
    return clock.spent_s["tables"]


def publication(count: int = 9) -> float:
    """CPU seconds of a publication by itself: one call into a day that others are in."""
    spent = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        Store(Path(scratch) / "store").writer("benchmark") as writer,
    ):
        for analysis in next(finished(count)):
            started = time.process_time()
            writer.add([analysis])
            writer.publish()
            spent.append(time.process_time() - started)
    return median(spent)


def writing(calls: int) -> dict[str, float]:
    """CPU per call of a night in the job's way, and of its parts; of a slow night; of tables.

    ``written`` is what the job does with finished calls: to add them one by one and to publish
    by its own rule (until 2026-11-22: 2,000 calls at a time and in order). ``compacted`` is the
    job's last step, which leaves ten files a day (until then: one file per table).
    """
    # The first time every word is new to the search index; in a year's store hardly any is.
    first, _, _ = night(calls, RunConfig().publish_every_calls)
    usual, files, sizes = night(calls, RunConfig().publish_every_calls)
    slow, slow_files, _ = night(calls, INTERIM_CALLS)
    batches = list(_batches(calls))
    us = 1e6 / calls
    return {
        "written when every word is new, µs per call": first.spent_s["written"] * us,
        **{f"part: {name}, µs": of_all_s * us for name, of_all_s in _parts(calls).items()},
        "a publication by itself, ms": publication() * 1000,
        "written, µs per call": usual.spent_s["written"] * us,
        "compacted, µs per call": usual.spent_s["tidied"] * us,
        "written and compacted, µs per call": sum(usual.spent_s.values()) * us,
        "files per day": files,
        **{f"{name}, bytes per call": size for name, size in sizes.items()},
        "a night of many publications: written, µs per call": slow.spent_s["written"] * us,
        "a night of many publications: compacted, µs per call": slow.spent_s["tidied"] * us,
        "a night of many publications: files per day": slow_files,
        "tables spooled, µs per call": as_tables(batches, at_once=False) * us,
        "tables published at once, µs per call": as_tables(batches, at_once=True) * us,
    }


def _batches(calls: int) -> Iterator[dict[str, pa.Table]]:
    made = (analysis for some in finished(calls) for analysis in some)
    while some := list(islice(made, TABLE_CALLS)):
        yield tables_from(some, "benchmark")


def _joined(batches: list[dict[str, pa.Table]]) -> dict[str, pa.Table]:
    return {name: pa.concat_tables([batch[name] for batch in batches]) for name in CALL_TABLES}


def _parts(calls: int) -> dict[str, float]:
    """CPU seconds of the parts of writing."""
    clock, frames = Clock(), []
    with tempfile.TemporaryDirectory() as scratch:
        spool = Spool(Path(scratch))
        for some in finished(calls):
            for first in range(0, len(some), SPOOL_CALLS):
                with clock.of("records to columns"):
                    frames.append(tables_from(some[first : first + SPOOL_CALLS], "benchmark"))
                with clock.of("spool"):
                    spool.append(frames[-1])
        with clock.of("spool"):
            waiting = spool.rotate()
            merge([frame for path in waiting for frame in spool.take(path)])
        tables = _joined(frames)
        segments = tables["segments"]
        clock.spent_s["postings"] = _cpu_s(lambda: postings_of(segments))
        tables["postings"] = postings_of(segments)
        for name, rows in tables.items():
            write = partial(_files.write, Place(scratch), name, [rows], DAY.isoformat(), 5_000)
            clock.spent_s[f"Parquet of {name}"] = _cpu_s(write)
    return clock.spent_s


def _cpu_s(run: Callable[[], object]) -> float:
    """The better of two times, after one that warms up."""
    spent = []
    for _ in range(3):
        started = time.process_time()
        run()
        spent.append(time.process_time() - started)
    return min(spent[1:])
