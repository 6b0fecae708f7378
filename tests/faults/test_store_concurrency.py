"""Writers, readers and reviewers at once: nobody sees a torn state, nobody loses a row."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import duckdb
import pytest

from speechlytics.errors import StoreLocked
from speechlytics.store import Store, connect
from tests.store_calls import SQL, analysis

SPAWN = multiprocessing.get_context("spawn")
NIGHTS = 6


def publish(root: Path, number: int) -> None:
    """Night ``number`` writes calls a, b, c anew, each with ``number`` segments and silences."""
    with Store(root, sql=SQL).writer(f"run-{number}") as writer:
        writer.add([analysis(name, segments=number) for name in "abc"])
        writer.publish()


def nights(root: Path, done) -> None:
    for number in range(2, 2 + NIGHTS):
        publish(root, number)
    done.set()


CONSISTENT = """
SELECT count(*), count(DISTINCT c.run_id), min(s.n), max(s.n), min(p.n), max(p.n),
       count(DISTINCT c.call_id)
FROM calls c
JOIN (SELECT call_id, run_id, count(*) AS n FROM segments GROUP BY ALL) s USING (call_id, run_id)
JOIN (SELECT call_id, run_id, count(*) AS n FROM silences GROUP BY ALL) p USING (call_id, run_id)
"""


def read_forever(root: Path, done, results) -> None:
    """A stranger with plain DuckDB: opens the catalog, asks, closes, again and again."""
    reads, wrong = 0, []
    while not done.is_set() or reads == 0:
        try:
            with duckdb.connect(str(root / "catalog.duckdb"), read_only=True) as connection:
                rows = connection.execute(CONSISTENT).fetchall()
        except duckdb.Error as error:
            wrong.append(repr(error))
            continue
        reads += 1
        count, runs, low, high, quiet_low, quiet_high, ids = rows[0]
        if (count, runs, ids) != (3, 1, 3) or not low == high == quiet_low == quiet_high:
            wrong.append(repr(rows[0]))
    results.put((reads, wrong))


def test_readers_in_a_loop_see_whole_publications_without_an_error(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish(root, 1)
    done, results = SPAWN.Event(), SPAWN.Queue()
    readers = [SPAWN.Process(target=read_forever, args=(root, done, results)) for _ in range(2)]
    for process in readers:
        process.start()
    # a connection that was opened before stays usable and keeps its state
    with connect(root) as old:
        nights(root, done)
        assert old.execute("SELECT count(*) FROM segments").fetchall() == [(3,)]
    outcomes = [results.get(timeout=120) for _ in readers]
    for process in readers:
        process.join(timeout=30)
    assert [wrong for _, wrong in outcomes] == [[], []]
    assert all(reads > 0 for reads, _ in outcomes)


def hold(root: Path, ready, release) -> None:
    with Store(root, sql=SQL).writer("holder"):
        ready.set()
        release.wait(60)


def test_a_second_writer_is_told_who_writes_and_readers_are_not_stopped(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish(root, 1)
    ready, release = SPAWN.Event(), SPAWN.Event()
    holder = SPAWN.Process(target=hold, args=(root, ready, release))
    holder.start()
    try:
        assert ready.wait(60)
        store = Store(root, sql=SQL)
        with (
            pytest.raises(StoreLocked, match=rf"process {holder.pid} on "),
            store.writer("second"),
        ):
            pass
        assert len(store.done()) == 3
        store.append_audit([{"audit_id": "1", "action": "listen", "run_id": "page"}])
        with connect(root) as connection:
            assert connection.execute("SELECT action FROM audit").fetchall() == [("listen",)]
    finally:
        release.set()
        holder.join(60)
    with store.writer("second"):
        assert holder.exitcode == 0


def die_holding(root: Path) -> None:
    with Store(root, sql=SQL).writer("dead"):
        sys.stdout.flush()
        os.kill(os.getpid(), 9)


def test_a_dead_writer_leaves_no_lock(tmp_path: Path) -> None:
    root = tmp_path / "store"
    process = SPAWN.Process(target=die_holding, args=(root,))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    publish(root, 1)
    assert len(Store(root).done()) == 3


def review(root: Path, who: str, count: int) -> None:
    store = Store(root, sql=SQL)
    for number in range(count):
        entry = {"review_id": f"{who}-{number}", "call_id": "a", "verdict": "unclear"}
        store.append_reviews([{**entry, "reviewer": who, "run_id": "page"}])
        store.append_audit([{"audit_id": f"{who}-{number}", "action": "verdict", "run_id": "page"}])


def test_reviewers_write_while_a_night_publishes(tmp_path: Path) -> None:
    root = tmp_path / "store"
    publish(root, 1)
    people = [SPAWN.Process(target=review, args=(root, who, 12)) for who in ("anna", "boris")]
    for process in people:
        process.start()
    for number in (2, 3, 4):
        publish(root, number)
        time.sleep(0.05)
    for process in people:
        process.join(120)
        assert process.exitcode == 0
    with connect(root) as connection:
        query = "SELECT reviewer, count(DISTINCT review_id), count(*) FROM reviews GROUP BY ALL"
        assert sorted(connection.execute(query).fetchall()) == [("anna", 12, 12), ("boris", 12, 12)]
        assert connection.execute("SELECT count(*) FROM audit").fetchall() == [(24,)]
        assert connection.execute("SELECT DISTINCT run_id FROM calls").fetchall() == [("run-4",)]
        files = connection.execute("SELECT max(files) FROM store_info").fetchall()
    assert files[0][0] <= 16
