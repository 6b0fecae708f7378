"""Any sequence of publications equals a dictionary of calls, whatever was replaced or moved."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechlytics.schema import CALL_TABLES
from speechlytics.store import Store, connect, tables_from
from speechlytics.store._postings import with_postings
from tests.store_calls import SQL, analysis, rows_of

calls = st.builds(
    analysis,
    st.sampled_from(["a", "b", "c", "d", "Ж", "quote's", "x/../y"]),
    day=st.sampled_from([date(2026, 3, 1), date(2026, 3, 2)]),
    segments=st.integers(0, 3),
    words=st.integers(0, 2),
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
batches = st.lists(
    st.lists(calls, min_size=1, max_size=4, unique_by=lambda c: c.recording.call_id),
    min_size=1,
    max_size=3,
)


def places_of(postings: pa.Table) -> set[tuple]:
    """Day, stem, call and segment, whatever number stands for the call."""
    rows = postings.to_pylist()
    named = {(r["call_date"], r["call_no"]): r["call_id"] for r in rows if r["key"] == "#"}
    assert len(named) == sum(r["key"] == "#" for r in rows)
    found = [
        (r["call_date"], r["key"], named[r["call_date"], r["call_no"]], r["segment_id"])
        for r in rows
        if r["segment_id"] is not None
    ]
    assert len(found) == len(set(found))
    return set(found)


def words_of(postings: pa.Table) -> set[tuple]:
    rows = postings.filter(pc.is_valid(postings.column("stem"))).to_pylist()
    return {(row["call_date"], row["key"], row["stem"]) for row in rows}


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(batches)
def test_the_last_publication_of_a_call_is_what_is_there(nights) -> None:
    model: dict = {}
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "store", sql=SQL)
        with store.writer("run") as writer:
            for night in nights:
                for call in night:
                    writer.add([call])
                writer.publish()
                model.update({call.recording.call_id: call for call in night})
        expected = with_postings(tables_from(model.values(), "run"))
        with connect(store) as connection:
            for table in CALL_TABLES:
                got = connection.sql(f"FROM {table}").to_arrow_table()
                assert rows_of(got) == rows_of(expected[table])
            postings = connection.sql("FROM postings").to_arrow_table()
        assert places_of(postings) == places_of(expected["postings"])
        # A word of a call that was replaced stays while another form of its stem is there.
        assert words_of(postings) >= words_of(expected["postings"])
        said = {(day, key) for day, key, _, _ in places_of(postings)}
        assert {(day, stem) for day, _, stem in words_of(postings)} <= said
