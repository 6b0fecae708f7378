"""A day asked for reaches the files: how many of each table a query opens, whatever it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from speechlytics.schema import TABLES
from speechlytics.store import Store
from tests.sql.conftest import Catalog

DAYS = 40
DAY = date(2026, 10, 5) + timedelta(days=20)
AROUND = 2 * 8 + 1
"""Days that may hold a call before or after one of the day, within seven days and an hour."""
BIND = 1
"""DuckDB opens a table's first file to learn its columns."""
GIVEN = ("calls", "segments", "silences", "phrase_hits")


@pytest.fixture(scope="module")
def store(
    empty_catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A file of each table a day; somebody calls every day, and somebody every other."""
    rows = Catalog(empty_catalog.parent / "rows.duckdb")
    for day in range(DAYS):
        for customer in ("ann", "bob")[: 1 + day % 2]:
            call = rows.call(f"{customer}{day:02}", day=day, customer_key=customer, agent_id="A1")
            rows.say(call, "agent", 60, "Ещё вопросы есть?")
            rows.say(call, "customer", 93, "А когда приедут?")
            rows.silence(call, 20, 25)
            rows.hit(call, "connection_problem", 5)
            rows.hit(call, "closing_question", 60, "agent")
    root = tmp_path_factory.mktemp("store") / "store"
    with Store(root).writer("test") as writer:
        writer.publish(
            {name: pa.Table.from_pylist(rows.rows[name], schema=TABLES[name]) for name in GIVEN}
        )
    rows.con.close()
    connection = Store(root).connect()
    yield connection
    connection.close()


def files_read(connection: duckdb.DuckDBPyConnection, query: str) -> Counter[str]:
    """Files of each table that a query opens, of the scan that opens most.

    Scans of nothing but the day are left out: it stands in the path, and no row is read for it.
    """
    ((_, plan),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}").fetchall()
    most: Counter[str] = Counter()

    def visit(operator: dict[str, Any]) -> None:
        about = operator.get("extra_info") or {}
        if about.get("Projections") not in ("call_date", ["call_date"]):
            read = int(about.get("Total Files Read", 0))
            names = str(about.get("Filename(s)", ""))
            for table in GIVEN:
                if f"/{table}/" in names:
                    most[table] = max(most[table], read)
        for child in operator.get("children", ()):
            visit(child)

    for operator in json.loads(plan)["operator"]:
        visit(operator)
    return most


IN_CALL = {"segments": 1, "silences": 1, "phrase_hits": 1, "calls": 1}
WITH_LINKS = IN_CALL | {"calls": AROUND, "phrase_hits": AROUND + BIND}
BY_REASON = """
SELECT r.reason, count(*)
FROM (SELECT unnest(reasons) AS r FROM unresolved_calls WHERE {day})
GROUP BY ALL
"""
BY_TOPIC = """
SELECT topic, count(*)
FROM unresolved_calls JOIN call_topics USING (call_date, call_id)
WHERE main AND {day}
GROUP BY ALL
"""


@pytest.mark.parametrize(
    ("query", "allowed"),
    [
        ("FROM unresolved_calls WHERE {day}", WITH_LINKS),
        ("SELECT call_id, score FROM unresolved(min_score := -9) WHERE {day}", WITH_LINKS),
        ("FROM unresolved(since := '{date}', min_score := -9) WHERE {day}", WITH_LINKS),
        ("FROM call_reasons() WHERE {day}", WITH_LINKS),
        ("FROM reasons_within() WHERE {day}", IN_CALL),
        ("FROM silence_alerts WHERE {day}", IN_CALL),
        ("FROM long_silences(min_duration_s := 20) WHERE {day}", IN_CALL),
        ("FROM call_topics WHERE {day}", IN_CALL),
        ("FROM call_sentiment WHERE {day}", IN_CALL),
        ("FROM call_timeline WHERE {day} AND call_id = 'ann20'", IN_CALL),
        ("FROM contact_links() WHERE {day}", WITH_LINKS),
        ("FROM call_facts WHERE {day}", WITH_LINKS),
        ("FROM daily_kpis WHERE {day}", WITH_LINKS),
        ("FROM fcr_by_day WHERE {day}", WITH_LINKS),
        ("FROM scorecard(since := '{date}', until := '{date}')", WITH_LINKS),
        (BY_REASON, WITH_LINKS),
        (BY_TOPIC, WITH_LINKS),
    ],
)
def test_one_day_opens_its_own_files(store, query, allowed):
    asked = query.format(day=f"call_date = DATE '{DAY}'", date=DAY)
    read = files_read(store, asked)
    assert read
    assert {name: count for name, count in read.items() if count > allowed[name]} == {}


def test_a_range_of_days_opens_theirs(store):
    days = f"call_date BETWEEN DATE '{DAY}' AND DATE '{DAY + timedelta(days=2)}'"
    read = files_read(store, f"FROM unresolved_calls WHERE {days}")
    assert read["segments"] == read["silences"] == 3
    assert read["calls"] <= AROUND + 2


def test_without_a_day_every_file_is_opened(store):
    """So that the figures above mean something."""
    read = files_read(store, "FROM unresolved_calls")
    assert all(read[name] == DAYS for name in GIVEN)


@pytest.mark.parametrize("source", ["unresolved(min_score := -9)", "contact_links()", "call_facts"])
def test_a_day_says_the_same_alone_as_among_all(store, source):
    alone = store.execute(f"FROM {source} WHERE call_date = DATE '{DAY}'").fetchall()
    store.execute(f"CREATE OR REPLACE TEMP TABLE every AS FROM {source}")
    among = store.execute(f"FROM every WHERE call_date = DATE '{DAY}'").fetchall()
    assert alone
    assert alone == among
