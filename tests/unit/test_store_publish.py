from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from speechlytics.errors import StoreError
from speechlytics.schema import SCHEMA_VERSION, TABLES, comment
from speechlytics.store import Store, connect, done, tables_from, views_sql
from tests.store_calls import ANALYSES, DAY, SQL, analysis, rows_of


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store", sql=SQL)


def publish(store: Store, *analyses, run_id: str = "run-1") -> None:
    with store.writer(run_id) as writer:
        writer.add(analyses)
        writer.publish()


def test_what_is_published_reads_back_through_any_duckdb_client(store: Store) -> None:
    publish(store, *ANALYSES)
    expected = tables_from(ANALYSES, "run-1")
    # the same file, opened the way a stranger would
    with duckdb.connect(str(store.place.local("catalog.duckdb")), read_only=True) as stranger:
        for table, rows in expected.items():
            got = stranger.sql(f"FROM {table}").to_arrow_table()
            assert got.column_names == TABLES[table].names
            assert rows_of(got) == rows_of(rows), table
            assert rows.num_rows > 0
        kinds = dict(
            stranger.sql("SELECT column_name, column_type FROM (DESCRIBE calls)").fetchall()
        )
    assert kinds["call_date"] == "DATE"
    assert kinds["started_at"] == "TIMESTAMP WITH TIME ZONE"
    assert kinds["started_local"] == "TIMESTAMP"


def test_publishing_twice_equals_once(store: Store) -> None:
    publish(store, *ANALYSES)
    once = everything(store)
    publish(store, *ANALYSES)
    assert everything(store) == once


def everything(store: Store) -> dict[str, list]:
    with connect(store) as connection:
        return {
            name: rows_of(connection.sql(f"FROM {name}").to_arrow_table())
            for name in ("calls", "segments", "silences", "phrase_hits")
        }


def test_a_call_is_replaced_in_every_table_and_on_every_day(store: Store) -> None:
    publish(store, analysis("a", segments=3), analysis("b", segments=2))
    moved = analysis("a", day=date(2026, 3, 2), segments=1)
    publish(store, moved, run_id="run-2")
    got = everything(store)
    assert got["calls"] == rows_of_two(analysis("b", segments=2), moved, "calls")
    assert got["segments"] == rows_of_two(analysis("b", segments=2), moved, "segments")
    assert got["silences"] == rows_of_two(analysis("b", segments=2), moved, "silences")


def rows_of_two(first, second, table: str) -> list:
    rows = rows_of(tables_from([first], "run-1")[table])
    return sorted(rows + rows_of(tables_from([second], "run-2")[table]), key=repr)


def test_a_call_without_segments_loses_the_ones_it_had(store: Store) -> None:
    publish(store, analysis("a", segments=3))
    publish(store, analysis("a", segments=0))
    assert everything(store)["segments"] == []
    assert len(everything(store)["calls"]) == 1


def test_a_table_left_out_keeps_its_rows(store: Store) -> None:
    publish(store, analysis("a", segments=3))
    before = everything(store)["segments"]
    rows = tables_from([analysis("a", segments=0)], "run-2")
    with store.writer("run-2") as writer:
        writer.publish({"calls": rows["calls"], "phrase_hits": rows["phrase_hits"]})
    after = everything(store)
    assert after["segments"] == before
    assert after["phrase_hits"] == []
    moved = tables_from([analysis("a", day=date(2026, 3, 9))], "run-3")
    with store.writer("run-3") as writer, pytest.raises(StoreError, match="moves from"):
        writer.publish({"calls": moved["calls"]})
    assert everything(store) == after


def test_a_publication_must_fit(store: Store) -> None:
    one, two = tables_from([analysis("a")], "r"), tables_from([analysis("b")], "r")
    with store.writer("r") as writer:
        with pytest.raises(StoreError, match="not in this publication"):
            writer.publish({"calls": one["calls"], "segments": two["segments"]})
        with pytest.raises(StoreError, match="occur twice"):
            writer.publish(tables_from([analysis("a"), analysis("a")], "r"))
        with pytest.raises(StoreError, match="missing"):
            writer.publish({"segments": one["segments"]})
        with pytest.raises(StoreError, match="columns differ"):
            writer.publish({"calls": one["segments"]})
    assert everything(store)["calls"] == []


def test_an_empty_store_has_every_view_with_its_types(store: Store) -> None:
    with store.writer("r"):
        pass
    with connect(store) as connection:
        for table, schema in TABLES.items():
            got = connection.sql(f"FROM {table}").to_arrow_table()
            assert got.num_rows == 0
            assert got.column_names == schema.names
        empty = dict(
            connection.sql("SELECT column_name, column_type FROM (DESCRIBE calls)").fetchall()
        )
    publish(store, *ANALYSES)
    with connect(store) as connection:
        full = dict(
            connection.sql("SELECT column_name, column_type FROM (DESCRIBE calls)").fetchall()
        )
    assert empty == full


def test_columns_carry_the_comments_of_the_schema(store: Store) -> None:
    publish(store, *ANALYSES)
    with connect(store) as connection:
        found = connection.sql(
            "SELECT table_name, column_name, comment FROM duckdb_columns() "
            "WHERE database_name = 'store' AND schema_name = 'main'"
        ).fetchall()
    comments = {(t, c): text for t, c, text in found}
    for table, schema in TABLES.items():
        for field in schema:
            assert comments[table, field.name] == comment(field) != ""


def test_views_macros_and_store_info(store: Store) -> None:
    publish(store, *ANALYSES)
    with connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM long_ones").fetchall() == [(2,)]
        assert connection.sql("FROM longer_than(min_ms := 9000)").fetchall() == [("a",)]
        info = connection.sql(
            "SELECT table_name, rows, schema_version, publication FROM store_info"
        )
        assert {row[0]: row[1:] for row in info.fetchall()}["calls"] == (
            len(ANALYSES),
            SCHEMA_VERSION,
            1,
        )


def test_views_sql_runs_in_a_bare_client_and_under_another_root(
    store: Store, tmp_path: Path
) -> None:
    publish(store, *ANALYSES)
    with duckdb.connect() as bare:
        bare.execute(views_sql(store))
        assert bare.execute("SELECT count(*) FROM calls").fetchall() == [(len(ANALYSES),)]
    elsewhere = tmp_path / "it's [else]where"
    Path(store.place.root).rename(elsewhere)
    with duckdb.connect() as bare:
        bare.execute(views_sql(Store(elsewhere, sql=SQL), root=str(elsewhere)))
        assert bare.execute("SELECT count(*) FROM calls").fetchall() == [(len(ANALYSES),)]
    # the catalog inside still names the old place; connect notices
    with connect(elsewhere) as connection:
        assert connection.execute("SELECT count(*) FROM segments").fetchall()[0][0] > 0


def test_a_connection_keeps_its_state_and_a_new_one_sees_the_next(store: Store) -> None:
    publish(store, analysis("a"))
    with connect(store) as old:
        publish(store, analysis("a", segments=5), analysis("b"))
        with connect(store) as new:
            assert old.sql("SELECT call_id FROM calls").fetchall() == [("a",)]
            assert len(new.sql("SELECT call_id FROM calls").fetchall()) == 2


def test_no_store_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store here"):
        connect(tmp_path / "nothing")
    assert not (tmp_path / "nothing").exists()
    assert len(done(tmp_path / "nothing")) == 0


def test_done_calls_and_records_read_back(store: Store) -> None:
    publish(store, *ANALYSES)
    calls = done(store)
    assert set(calls) == {a.recording.call_id for a in ANALYSES}
    for a in ANALYSES:
        entry = calls[a.recording.call_id]
        assert entry.status == a.status
        assert entry.call_date == a.recording.call_date
        assert entry.stage_sha256 == a.stage_sha256
        assert entry.audio_sha256 == (a.facts.audio_sha256 if a.facts else None)
    segments, silences = store.read_segments(DAY), store.read_silences(DAY)
    for a in ANALYSES:
        if a.recording.call_date == DAY and a.transcript:
            assert segments[a.recording.call_id] == a.transcript.segments
        if a.recording.call_date == DAY and a.activity:
            assert silences.get(a.recording.call_id, ()) == a.activity.silences


def test_calls_can_be_removed(store: Store) -> None:
    publish(store, *ANALYSES)
    with store.writer("erase") as writer:
        writer.remove_calls(["a", "unknown"])
    left = everything(store)
    assert all(row["call_id"] != "a" for rows in left.values() for row in rows)
    assert len(left["calls"]) == len(ANALYSES) - 1


def test_a_broken_sql_file_is_named_and_the_old_catalog_stays(store: Store, tmp_path: Path) -> None:
    publish(store, *ANALYSES)
    wrong = replace(SQL[1], name="wrong", statement="CREATE VIEW wrong AS SELECT no FROM calls;")
    with pytest.raises(StoreError, match=r"sql/views/wrong\.sql: does not run"):
        Store(store.place.root, sql=[*SQL, wrong]).refresh()
    with connect(store) as connection:
        assert connection.execute("SELECT count(*) FROM long_ones").fetchall() == [(2,)]


def test_words_of_a_stored_segment_are_those_of_the_record(store: Store) -> None:
    publish(store, *ANALYSES)
    segments = store.read_segments(DAY)
    compared = 0
    for a in ANALYSES:
        if a.recording.call_date != DAY or a.transcript is None:
            continue
        for stored, record in zip(
            segments[a.recording.call_id], a.transcript.segments, strict=True
        ):
            assert len(stored.words) == len(record.words)
            assert tuple(stored.words) == tuple(record.words)
            assert hash(stored) == hash(record)
            if record.words:
                assert stored.words[-1] == record.words[-1]
                assert stored.words[1:] == tuple(record.words[1:])
                compared += 1
    assert compared
