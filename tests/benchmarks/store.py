"""The store at scale: cost of writing, files a day, and queries against a raw scan of all text.

    python -m tests.benchmarks.store --calls 100000
    python -m tests.benchmarks.store --store big-store      # made by synthetic_store

Times are CPU of all threads, planning included, medians of ``--rounds`` after one round that warms
the file cache; what takes longer than :data:`LONG_MS` is timed once.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import duckdb

from speechlytics.search import search
from speechlytics.store import Store
from tests.benchmarks import results
from tests.benchmarks.store_writing import writing
from tests.benchmarks.synthetic_store import build

SEARCHED = "потом перезвоню"
"""Two stems that some 0.4 % of the synthetic calls hold in one segment, as a phrase that somebody
looks for; the vocabulary is small, so that each of the stems by itself is in far more."""
FREQUENT = "договор"
"""In 12 % of the calls: all its hits are a tenth of all text."""
RAW_SCAN = f"SELECT count(*) FROM segments WHERE contains(text, '{SEARCHED}')"
LONG_MS = 15_000


def cpu_ms(run: Callable[[], object], rounds: int) -> float:
    """Median CPU time of a query; a long one's first run counts."""
    spent: list[float] = []
    while len(spent) <= rounds:
        started = time.process_time()
        run()
        spent.append((time.process_time() - started) * 1000)
        if spent[0] > LONG_MS:
            return spent[0]
    return median(spent[1:])


def files_scanned(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    """Files that a query reads, and files there are, over all its table scans (EXPLAIN ANALYZE)."""
    ((_, plan),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}").fetchall()
    read = every = 0
    for some, of in re.findall(r'"Scanning Files": "(\d+)/(\d+)"', plan):
        read, every = read + int(some), every + int(of)
    return read, every


def queries(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """The contract's questions, each about the newest days of the store."""
    days = "SELECT max(call_date), max(call_date) - 6 FROM calls"
    ((last, since),) = connection.execute(days).fetchall()
    newest = f"SELECT max(call_id) FROM calls WHERE call_date = DATE '{last}'"
    ((one,),) = connection.execute(newest).fetchall()
    week = f"since := DATE '{since}'"
    return {
        "calls of 7 days by agent": f"SELECT agent_id, count(*), avg(non_talk_ms) FROM calls "
        f"WHERE call_date >= DATE '{since}' GROUP BY ALL",
        "repeat callers": "SELECT count(*) FROM (SELECT lead(started_at) OVER (PARTITION BY "
        "hash(customer_key) ORDER BY started_at) - started_at AS gap FROM calls "
        "WHERE customer_key IS NOT NULL) WHERE gap < INTERVAL 7 DAY",
        "one call": f"FROM call_timeline WHERE call_id = '{one}' AND call_date = DATE '{last}'",
        "silence alerts of 7 days": f"FROM long_silences({week})",
        "unresolved of 1 day": f"FROM unresolved(min_score := 0.5, since := DATE '{last}')",
        "unresolved of 7 days": f"FROM unresolved(min_score := 0.5, {week})",
        "contact chains": "SELECT count(*) FROM contact_chain()",
        "unresolved of all days": "FROM unresolved_calls",
        "contains, 7 days": "SELECT call_id, start_ms, text FROM segments "
        f"WHERE contains(text, '{SEARCHED}') AND call_date >= DATE '{since}'",
        "search macro, all hits of 7 days": f"FROM search('{SEARCHED}', {week})",
        "search macro, newest 20 of 7 days": f"FROM search('{SEARCHED}', {week}, most := 20)",
        "search macro, newest 20": f"FROM search('{SEARCHED}', most := 20)",
        "search macro, all hits of a frequent word in 7 days": f"FROM search('{FREQUENT}', {week})",
        "search macro, newest 20 of a frequent word in 7 days": "FROM search("
        f"'{FREQUENT}', {week}, most := 20)",
    }


def share_of_calls(connection: duckdb.DuckDBPyConnection, words: str) -> float:
    """Percentage of the newest day's calls in which a search finds the words."""
    ((day, calls),) = connection.execute(
        "SELECT call_date, count(*) FROM calls GROUP BY ALL ORDER BY call_date DESC LIMIT 1"
    ).fetchall()
    query = f"SELECT count(DISTINCT call_id) FROM search('{words}', since := DATE '{day}')"
    ((found,),) = connection.execute(query).fetchall()
    return 100.0 * int(found) / int(calls)


def reading(root: Path, rounds: int) -> tuple[dict[str, float], str]:
    """Queries of the contract, each against the scan of all text that it replaces."""
    store = Store(root)
    connection = store.connect()
    ((calls,),) = connection.execute("SELECT count(*) FROM calls").fetchall()
    asked = queries(connection)
    spent_ms = {
        name: cpu_ms(partial(_fetch, connection, query), rounds)
        for name, query in {"raw text scan": RAW_SCAN, **asked}.items()
    }
    ((since,),) = connection.execute("SELECT max(call_date) - 6 FROM calls").fetchall()
    for name, first in (("newest 20", None), ("newest 20 of 7 days", since)):
        command = partial(search, store, SEARCHED, limit=20, since=first)
        spent_ms[f"search command, {name}"] = cpu_ms(command, rounds)
    figures: dict[str, float] = {}
    for name, words in (("the phrase", SEARCHED), ("the frequent word", FREQUENT)):
        figures[f"calls with {name}, %"] = share_of_calls(connection, words)
    for name, of_one_ms in spent_ms.items():
        figures[f"{name}, ms"] = of_one_ms
        if name.startswith("search") and "7 days" in name:
            figures[f"{name}: contains takes so many times longer"] = (
                spent_ms["contains, 7 days"] / of_one_ms
            )
        elif name in asked or name.startswith("search"):
            figures[f"{name}: raw scan takes so many times longer"] = (
                spent_ms["raw text scan"] / of_one_ms
            )
    for name in ("silence alerts of 7 days", "search macro, newest 20 of 7 days"):
        read, every = files_scanned(connection, asked[name])
        figures[f"{name}: pruned scans read files"] = read
        figures[f"{name}: of files"] = every
    return figures, f"{calls} calls"


def _fetch(connection: duckdb.DuckDBPyConnection, query: str) -> object:
    """Every row, but not as Python objects."""
    return connection.execute(f"CREATE OR REPLACE TEMP TABLE answer AS {query}").fetchall()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000, help="to read; 0: none")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--written", type=int, default=11_000, help="calls to write; 0: none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="an existing synthetic store")
    chosen = parser.parse_args()
    if chosen.written:
        note = f"{chosen.written} calls of 10 segments and 100 words, one day"
        results.append("store", "writing", writing(chosen.written), note)
    if not chosen.calls:
        return
    if chosen.store is not None:
        figures, note = reading(chosen.store, chosen.rounds)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            build(Path(scratch) / "store", chosen.calls, chosen.days)
            figures, note = reading(Path(scratch) / "store", chosen.rounds)
    results.append("store", f"reading {note}", figures, f"{chosen.days} days, 10 segments a call")


if __name__ == "__main__":
    main()
