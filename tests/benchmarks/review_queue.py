"""The review page on a large store against a small one with the same calls a day.

    python -m tests.benchmarks.review_queue --calls 1000000 --days 90

The small store holds as many days as one queue looks at (its day and eight around it). Times are
CPU of all threads: first page of a day that nobody has asked for, next page, call page.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from speechlytics.review._call import Calls
from speechlytics.review._catalog import Catalog
from speechlytics.review._queue import Filters, Queues
from speechlytics.store import Store
from tests.benchmarks import results
from tests.benchmarks.synthetic_store import build

SMALL_DAYS = 9


def cpu_ms(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def one_round(catalog: Catalog) -> dict[str, float]:
    """CPU of each kind of page, ms, with nothing kept from earlier."""
    queues = Queues(catalog)
    calls = Calls(catalog, queues)
    first_ms = cpu_ms(lambda: queues.page(Filters()))
    page = queues.page(Filters())
    next_ms = cpu_ms(lambda: queues.page(replace(page.filters, page=2)))
    row = (page.rows or queues.page(Filters(lane="random")).rows)[0]
    call_ms = cpu_ms(lambda: calls.view(row["call_id"], row["call_date"], masked=True))
    return {"first page": first_ms, "next page": next_ms, "call page": call_ms}


def figures_of(root: Path, rounds: int) -> dict[str, float]:
    """Medians of some rounds."""
    catalog = Catalog(Store(root))
    found = [one_round(catalog) for _ in range(rounds)]
    return {name: median(each[name] for each in found) for name in found[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="an existing synthetic store of that size")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small, large = Path(scratch) / "small", chosen.store or Path(scratch) / "large"
        build(small, chosen.calls * SMALL_DAYS // chosen.days, SMALL_DAYS)
        if chosen.store is None:
            build(large, chosen.calls, chosen.days)
        of_small, of_large = figures_of(small, chosen.rounds), figures_of(large, chosen.rounds)
    figures: dict[str, float] = {}
    for name, value in of_large.items():
        figures[f"{name}, ms"] = value
        figures[f"{name}, times the small store"] = value / of_small[name]
    note = f"{chosen.calls} calls in {chosen.days} days against {SMALL_DAYS} of these days"
    results.append("review_queue", "pages", figures, note)


if __name__ == "__main__":
    main()
