"""The review page on a large store against a small one with the same calls a day.

    python -m tests.benchmarks.review_queue --calls 1000000 --days 90

The small store holds as many days as one queue looks at (its day and eight around it). Times are
CPU of all threads. First a day that nobody has asked for is ranked; then its pages are asked for:
the first, a far one, a filtered one, the silence alerts, the random sample, a call. Last, the
pages of a whole month of the large store, once that is ranked.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from speechlytics.review._call import Calls
from speechlytics.review._catalog import Catalog
from speechlytics.review._cover import Cover, Handles
from speechlytics.review._filters import Filters
from speechlytics.review._queue import MAX_DAYS, Queues
from speechlytics.review._ranking import Rankings
from speechlytics.store import Store
from tests.benchmarks import results
from tests.benchmarks.synthetic_store import build

SMALL_DAYS = 9
REPEATS = 5
"""How often a page of a ranked period is asked for."""


class Desk:
    """The review page without its web server."""

    def __init__(self, root: Path) -> None:
        self.catalog = Catalog(Store(root))
        self.rankings = Rankings(self.catalog)
        self.queues = Queues(self.catalog, self.rankings)
        self.calls = Calls(self.catalog, self.rankings)
        self.cover = Cover(True, Handles(root / "_review"))

    def day(self) -> dict[str, float]:
        """CPU of each kind of page of the latest day, ms, with nothing kept from earlier."""
        self.rankings.forget()
        day = self.catalog.latest_day()
        assert day is not None
        filters = Filters(first=day, last=day)
        first_ms = cpu_ms(lambda: self.queues.page(filters, self.cover))
        row = self.queues.page(filters, self.cover).rows[0]
        call_ms = cpu_ms(lambda: self.calls.view(row["call_id"], day, self.cover))
        return {"first view of a day": first_ms, **self.pages(filters), "call page": call_ms}

    def pages(self, filters: Filters) -> dict[str, float]:
        """CPU of the pages of a ranked period, ms."""
        last = self.queues.page(filters, self.cover).pages
        agent = self.queues.page(filters, self.cover).rows[0]["agent_id"]
        wanted = {
            "first page": filters,
            "far page": replace(filters, page=last),
            "filtered by agent and length": replace(filters, agent=agent, min_s=30),
            "silence alerts": replace(filters, lane="alerts"),
            "random sample": replace(filters, lane="random"),
        }
        return {
            name: median(
                cpu_ms(lambda f=f: self.queues.page(f, self.cover)) for _ in range(REPEATS)
            )
            for name, f in wanted.items()
        }

    def month(self) -> dict[str, float]:
        """CPU of ranking a month and of its pages, ms."""
        last = self.catalog.latest_day()
        assert last is not None
        filters = Filters(first=last - timedelta(days=MAX_DAYS - 1), last=last)
        first_ms = cpu_ms(lambda: self.queues.page(filters, self.cover))
        return {"first view of a month": first_ms} | {
            f"month, {name}": value for name, value in self.pages(filters).items()
        }


def cpu_ms(work: Callable[[], Any]) -> float:
    started = time.process_time()
    work()
    return (time.process_time() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--store", type=Path, help="an existing synthetic store of that size")
    parser.add_argument("--small", type=Path, help="one of the first days of it")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        small, large = (
            chosen.small or Path(scratch) / "small",
            chosen.store or Path(scratch) / "large",
        )
        if not small.exists():
            build(small, chosen.calls * SMALL_DAYS // chosen.days, SMALL_DAYS)
        if not large.exists():
            build(large, chosen.calls, chosen.days)
        desks = Desk(small), Desk(large)
        # in turns, so that what else the machine does falls on both
        rounds = [tuple(desk.day() for desk in desks) for _ in range(chosen.rounds)]
        of_month = desks[1].month()
    figures: dict[str, float] = {}
    for name in rounds[0][1]:
        figures[f"{name}, ms"] = median(ours[name] for _, ours in rounds)
        ratios = [ours[name] / theirs[name] for theirs, ours in rounds]
        figures[f"{name}, times the small store"] = median(ratios)
    figures |= {f"{name}, ms": value for name, value in of_month.items()}
    note = f"{chosen.calls} calls in {chosen.days} days against {SMALL_DAYS} of these days"
    results.append("review_queue", "pages", figures, note)


if __name__ == "__main__":
    main()
