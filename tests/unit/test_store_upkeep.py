from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from speechlytics import schema
from speechlytics.errors import StoreError
from speechlytics.schema import CALL_TABLES, PARTITIONED
from speechlytics.store import Store, connect, tables_from
from speechlytics.store._layout import MAX_FILES
from speechlytics.store._writer import TIDY_FILES
from speechlytics.store.durable import intercepted
from tests.store_calls import DAY, SQL, analysis, rows_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", sql=SQL)


def count(store: Store, query: str) -> list:
    with connect(store) as connection:
        return connection.execute(query).fetchall()


def test_a_day_keeps_few_files_however_often_it_is_published(store: Store) -> None:
    with store.writer("run") as writer:
        for number in range(3 * MAX_FILES):
            writer.add([analysis(f"c{number:03}")])
            writer.publish()
    info = count(store, "SELECT table_name, files, rows FROM store_info WHERE rows > 0")
    assert {name for name, _, _ in info} == set(PARTITIONED)
    assert all(files <= MAX_FILES for _, files, _ in info)
    assert count(store, "SELECT count(*), count(DISTINCT call_id) FROM calls") == [(24, 24)]
    assert count(store, "SELECT count(*) FROM segments") == [(48,)]
    with store.writer("run") as writer:
        writer.compact()
    assert count(store, "SELECT DISTINCT files FROM store_info WHERE rows > 0") == [(1,)]
    assert count(store, "SELECT count(*), count(DISTINCT call_id) FROM calls") == [(24, 24)]


def crowded(root: Path) -> Store:
    """Two days of more files than a finished job leaves, and a day of one."""
    made = Store(root, sql=SQL)
    with made.writer("run") as writer:
        for number in range(5):
            days = [DAY, DAY + timedelta(days=1)] if number else [DAY + timedelta(days=2), DAY]
            writer.add([analysis(f"{number}-{day}", day=day) for day in days])
            writer.publish()
    return made


def postings_in(store: Store) -> dict[str, list]:
    """Where each stem was said, and the words, whatever numbers stand for the calls."""
    places = """
        SELECT call_date, places.key, calls.call_id, places.segment_id
        FROM postings AS places
        JOIN postings AS calls USING (call_date, call_no)
        WHERE places.segment_id IS NOT NULL AND calls.key = '#'
    """
    return {
        "postings": sorted(count(store, places)),
        "words": sorted(count(store, "SELECT DISTINCT key FROM postings WHERE stem IS NOT NULL")),
    }


def contents(store: Store) -> dict[str, list]:
    return {name: rows_of(store.read(name)) for name in CALL_TABLES} | postings_in(store)


def files_per_day(store: Store) -> dict[tuple[str, str], int]:
    """Live files of every table and day, as the catalog names them."""
    return {(name, day): count for name in PARTITIONED for day, count in count_rows(store, name)}


def count_rows(store: Store, table: str) -> list[tuple[str, int]]:
    with connect(store) as connection:
        ((text,),) = connection.execute(
            f"SELECT sql FROM duckdb_views() WHERE schema_name = 'live' AND view_name = '{table}'"
        ).fetchall()
    return list(Counter(re.findall(r"call_date=([\d-]+)", text)).items())


def test_a_job_leaves_at_most_ten_files_a_day_and_spares_the_large_ones(tmp_path: Path) -> None:
    store = crowded(tmp_path / "store")
    before = contents(store)
    with store.writer("night") as writer:
        assert writer.tidy() == [DAY, DAY + timedelta(days=1)]
        assert max(files_per_day(store).values()) == TIDY_FILES
        large = max(parquet(store, "segments"), key=lambda path: path.stat().st_size)
        assert writer.tidy() == []
    assert len(PARTITIONED) * TIDY_FILES <= 10
    assert contents(store) == before
    # a late call: it is merged with the small file, the large one stays as it is
    with store.writer("late") as writer:
        writer.add([analysis("late")])
        assert writer.tidy() == [DAY]
    assert large in parquet(store, "segments")
    assert max(files_per_day(store).values()) == TIDY_FILES


def killed_after(steps: int) -> Callable[[str, str], None]:
    left = iter(range(steps))

    def hook(action: str, target: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    return hook


def test_tidying_that_is_killed_is_done_by_the_next(tmp_path: Path) -> None:
    steps: list[str] = []
    source = crowded(tmp_path / "source").place.local("")
    undisturbed = Store(shutil.copytree(source, tmp_path / "undisturbed"), sql=SQL)
    with undisturbed.writer("night") as writer, intercepted(lambda *step: steps.append(step[0])):
        writer.tidy()
    expected = contents(undisturbed)
    for number in range(0, len(steps), len(steps) // 4):
        store = Store(shutil.copytree(source, tmp_path / str(number)), sql=SQL)
        kill = killed_after(number)
        with (
            pytest.raises(KeyboardInterrupt),
            store.writer("killed") as writer,
            intercepted(kill),
        ):
            writer.tidy()
        with store.writer("next") as writer:
            writer.tidy()
        assert contents(store) == expected, number
        assert max(files_per_day(store).values()) == TIDY_FILES, number


def parquet(store: Store, table: str) -> list[Path]:
    return sorted(store.place.local(table).glob("**/*.parquet"))


def test_the_sweep_takes_orphans_and_old_files_and_spares_the_rest(store: Store) -> None:
    with store.writer("run-1") as writer:
        writer.add([analysis("a")])
        writer.publish()
        old = parquet(store, "calls")
        writer.add([analysis("a", segments=1)])
        writer.publish()
    orphan = store.place.local(f"calls/call_date={DAY}/part-orphan.parquet")
    orphan.write_bytes(b"half a file")
    for path in [*old, orphan]:
        os.utime(path, (1, 1))
    fresh = store.place.local(f"calls/call_date={DAY}/part-fresh.parquet")
    fresh.write_bytes(b"being written")
    with connect(store) as reader, store.writer("run-2") as writer:
        # superseded a moment ago: whoever opened the catalog before still reads it
        assert writer.sweep() == [f"calls/call_date={DAY}/part-orphan.parquet"]
        assert old[0].exists()
        swept = writer.sweep(min_age_s=0)
        assert f"calls/call_date={DAY}/{old[0].name}" in swept
        assert not old[0].exists()
        assert reader.execute("SELECT count(*) FROM segments").fetchall() == [(1,)]
    assert count(store, "SELECT count(*) FROM calls") == [(1,)]


def test_runs_reviews_and_rules(store: Store) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    store.append_run({"run_id": "r", "started_at": now})
    store.append_run({"run_id": "r", "started_at": now, "finished_at": now, "status": "done"})
    assert count(store, "SELECT run_id, status FROM runs") == [("r", "done")]
    rule = {"rule_id": "old", "category": "greeting", "weight": -1.5, "run_id": "r"}
    store.replace_rules([rule])
    store.replace_rules([{**rule, "rule_id": "new"}, {**rule, "rule_id": "more"}])
    assert sorted(count(store, "SELECT rule_id FROM rules")) == [("more",), ("new",)]
    store.replace_rules([])
    assert count(store, "SELECT rule_id FROM rules") == []
    verdict = {"review_id": "1", "call_id": "a", "verdict": "unclear", "run_id": "r"}
    store.append_reviews([verdict])
    store.append_reviews([{**verdict, "verdict": "resolved"}])
    assert count(store, "SELECT verdict FROM reviews") == [("resolved",)]
    with pytest.raises(StoreError, match="unknown columns"):
        store.append_reviews([{**verdict, "stars": 5}])


def test_the_schema_can_grow(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.writer("run-1") as writer:
        writer.add([analysis("a"), analysis("b")])
        writer.publish()
    grown = schema.CALLS.append(pa.field("mood", pa.string(), metadata={b"comment": b"Mood."}))
    monkeypatch.setitem(schema.TABLES, "calls", grown)
    rows = tables_from([analysis("b"), analysis("c")], "run-2")
    rows["calls"] = rows["calls"].append_column(grown.field("mood"), pa.array(["good", "bad"]))
    with store.writer("run-2") as writer:
        # before anything is written anew, the old file shows the new column as NULL
        assert count(store, "SELECT DISTINCT mood FROM calls") == [(None,)]
        writer.publish({**rows, "calls": rows["calls"].cast(grown)})
    expected = [("a", None), ("b", "good"), ("c", "bad")]
    assert sorted(count(store, "SELECT call_id, mood FROM calls")) == expected
    assert store.read("calls", columns=["call_id", "mood"]).num_rows == 3


def test_a_store_of_a_newer_version_is_refused(store: Store) -> None:
    with store.writer("run"):
        pass
    state = store.place.read_json("_published.json")
    store.place.write_json("_published.json", {**state, "schema_version": 99})
    with pytest.raises(StoreError, match="schema version 99 is newer"), store.writer("run"):
        pass


def test_a_moved_store_gets_a_new_catalog_with_its_next_writer(store: Store, tmp_path) -> None:
    with store.writer("run") as writer:
        writer.add([analysis("a")])
        writer.publish()
    Path(store.place.root).rename(tmp_path / "moved")
    moved = Store(tmp_path / "moved", sql=SQL)
    with moved.writer("run"):
        pass
    assert count(moved, "SELECT DISTINCT store FROM store_info") == [(str(tmp_path / "moved"),)]


def test_delta_readers_see_the_same_rows(store: Store) -> None:
    from deltalake import DeltaTable

    with store.writer("run") as writer:
        writer.add([analysis("a"), analysis("b", day=date(2026, 3, 2))])
        writer.publish()
        writer.add([analysis("a", segments=5)])
        writer.publish()
    table = DeltaTable(store.place.uri("segments"))
    rows = pa.table(table.to_pyarrow_table(columns=["call_id", "call_date"]))
    assert rows.num_rows == count(store, "SELECT count(*) FROM segments")[0][0] == 7
    assert table.history(1)[0]["schema_version"] == str(schema.SCHEMA_VERSION)
