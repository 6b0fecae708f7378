"""The store at scale: cost of writing, files a day, and queries against a raw scan of all text.

    python -m tests.benchmarks.store --calls 100000
    python -m tests.benchmarks.store --store big-store      # made by synthetic_store

Times are CPU of all threads, medians of ``--rounds``, after one round that warms the file cache.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import duckdb

from speechlytics.records import CallAnalysis
from speechlytics.store import Store
from tests.benchmarks import results
from tests.benchmarks.synthetic_store import FIRST_DAY, Dialogues, build

NIGHT_CALLS = 2000
FILES = """
SELECT sum(files) FROM store_info WHERE table_name NOT IN ('rules', 'reviews', 'runs', 'audit')
"""
RAW_SCAN = "SELECT count(*) FROM segments WHERE contains(text, 'оператор')"


def cpu_ms(connection: duckdb.DuckDBPyConnection, query: str, rounds: int) -> float:
    """Median CPU time of a query, its rows fetched."""
    connection.execute(query).fetchall()
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        connection.execute(query).fetchall()
        spent.append((time.process_time() - started) * 1000)
    return median(spent)


def files_scanned(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    """Files that a query reads, and files there are, over all its table scans (EXPLAIN ANALYZE)."""
    ((_, plan),) = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}").fetchall()
    read = every = 0
    for some, of in re.findall(r'"Scanning Files": "(\d+)/(\d+)"', plan):
        read, every = read + int(some), every + int(of)
    return read, every


def writing(calls: int) -> dict[str, float]:
    """CPU per call through spool, publication and compaction, in nights of 2,000 calls."""
    dialogues = Dialogues(seed=2)
    analyses = [
        dialogues.analysis(f"c{n}", date(2026, 11, 2), segments=10, words=100) for n in range(calls)
    ]
    # The first time every word is new to the search index; in a year's store hardly any is.
    first_s, _, _ = _write(analyses)
    written_s, compacted_s, files = _write(analyses)
    return {
        "written when every word is new, µs per call": first_s / calls * 1e6,
        "written, µs per call": written_s / calls * 1e6,
        "compacted, µs per call": compacted_s / calls * 1e6,
        "written and compacted, µs per call": (written_s + compacted_s) / calls * 1e6,
        "files per day": files,
    }


def _write(analyses: list[CallAnalysis]) -> tuple[float, float, float]:
    """CPU seconds to write and to compact, and the files of the day."""
    with tempfile.TemporaryDirectory() as scratch:
        store = Store(Path(scratch) / "store")
        with store.writer("benchmark") as writer:
            started = time.process_time()
            for at in range(0, len(analyses), NIGHT_CALLS):
                writer.add(analyses[at : at + NIGHT_CALLS])
                writer.publish()
            written_s = time.process_time() - started
            started = time.process_time()
            writer.compact()
            compacted_s = time.process_time() - started
        (files,) = store.connect().execute(FILES).fetchone() or (0,)
    return written_s, compacted_s, float(files)


def reading(root: Path, rounds: int) -> tuple[dict[str, float], str]:
    """Queries of the contract against the raw scan."""
    connection = Store(root).connect()
    query = "SELECT count(*), max(call_date) FROM calls"
    calls, last = connection.execute(query).fetchone() or (0, FIRST_DAY)
    since = last - timedelta(days=6)
    (one,) = connection.execute("SELECT max(call_id) FROM calls").fetchone() or ("",)
    queries = {
        "calls of 7 days by agent": f"SELECT agent_id, count(*), avg(non_talk_ms) FROM calls "
        f"WHERE call_date >= '{since}' GROUP BY ALL",
        "unresolved of 7 days": f"FROM unresolved(since := '{since}')",
        "silence alerts of 7 days": f"FROM long_silences(since := '{since}')",
        "repeat callers": "SELECT count(*) FROM (SELECT lead(started_at) OVER (PARTITION BY "
        "hash(customer_key) ORDER BY started_at) - started_at AS gap FROM calls "
        "WHERE customer_key IS NOT NULL) WHERE gap < INTERVAL 7 DAY",
        "contact chains with topics": "SELECT count(*) FROM contact_chain()",
        "one call": f"FROM call_timeline WHERE call_id = '{one}' AND call_date = '{last}'",
    }
    scan_ms = cpu_ms(connection, RAW_SCAN, rounds)
    figures = {"raw text scan, ms": scan_ms}
    for name, text in queries.items():
        spent_ms = cpu_ms(connection, text, rounds)
        figures[f"{name}, ms"] = spent_ms
        figures[f"{name}: raw scan takes so many times longer"] = scan_ms / spent_ms
    read, every = files_scanned(connection, f"FROM long_silences(since := '{since}')")
    figures["long_silences of 7 days: pruned scans read files"] = read
    figures["long_silences of 7 days: of files"] = every
    return figures, f"{calls} calls"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=100_000, help="to read; 0: none")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--written", type=int, default=4000, help="calls to write; 0: none")
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
