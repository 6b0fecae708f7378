"""Rankings of periods: what the whole catalog says, paged and filtered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from speechlytics.phrases import load_packs
from speechlytics.review import _queue, _ranking
from speechlytics.review._catalog import Catalog
from speechlytics.review._cover import Cover, Handles
from speechlytics.review._filters import Filters
from speechlytics.review._queue import Queues
from speechlytics.review._ranking import ANY_SCORE, Rankings
from speechlytics.review._sample import rate_of
from speechlytics.store import Store
from tests.review_store import analyses

DAYS = 12


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Every call again on each of some days, by customers who come back after 1, 2, 3 … days."""
    folder = tmp_path_factory.mktemp("ranking")
    made = [one for one in analyses(folder, ["demo-01", "demo-05"]) if one.recording.customer_key]
    moved = []
    for number, one in enumerate(made):
        for day in range(DAYS):
            found = one.recording
            moved.append(
                replace(
                    one,
                    recording=replace(
                        found,
                        call_id=f"{found.call_id}-{day:02}",
                        started_at=found.started_at + timedelta(days=day),
                        started_local=found.started_local + timedelta(days=day),
                        call_date=date(2026, 11, 1) + timedelta(days=day),
                        customer_key=f"c{day % (number + 3)}",
                        agent_id=f"A{day % 3}",
                    ),
                )
            )
    store = Store(folder / "store")
    with store.writer("fixture") as writer:
        writer.add(moved)
        writer.publish()
    store.replace_rules([{**row, "run_id": "fixture"} for row in load_packs().rules_table()])
    return store


@pytest.fixture(scope="module")
def catalog(store: Store) -> Catalog:
    return Catalog(store)


@pytest.fixture
def rankings(catalog: Catalog) -> Iterator[Rankings]:
    made = Rankings(catalog)
    yield made
    made.forget()


def judged(catalog: Catalog, first: date, last: date) -> list[dict[str, Any]]:
    found = catalog.rows(f"FROM unresolved(min_score := {ANY_SCORE}) ORDER BY call_id")
    return [row for row in found if first <= row["call_date"] <= last]


@pytest.mark.parametrize(("first", "last"), [(1, 1), (6, 6), (12, 12), (3, 7), (1, 12)])
def test_a_period_is_judged_as_the_whole_store_is(
    catalog: Catalog, rankings: Rankings, first: int, last: int
) -> None:
    days = date(2026, 11, first), date(2026, 11, last)
    lens = rankings.of(*days)
    expected = judged(catalog, *days)
    assert expected
    assert lens.rows("FROM scored ORDER BY call_id") == expected
    assert {row["repeat_confirmed"] for row in judged(catalog, date.min, date.max)} >= {True, None}
    alerts = "SELECT call_id, silence_id, harm, severity, after_text FROM {} {} ORDER BY 1, 2"
    between = f"WHERE call_date BETWEEN DATE '{days[0]}' AND DATE '{days[1]}'"
    whole = catalog.rows(alerts.format("silence_alerts", between))
    assert lens.rows(alerts.format("alerts", "")) == whole
    named = "SELECT call_id, topic FROM call_topics WHERE main ORDER BY call_id"
    topics = {row["call_id"]: row["topic"] for row in catalog.rows(named)}
    for row in lens.rows("SELECT call_id, topic, unresolved, score FROM ranked"):
        assert row["topic"] == topics.get(row["call_id"])
        assert row["unresolved"] == (row["score"] >= 0.5)


@pytest.mark.parametrize("lane", ["unresolved", "alerts", "random"])
def test_pages_list_everything_once_worst_first(
    catalog: Catalog, rankings: Rankings, lane: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(_queue, "PAGE_SIZE", 5)
    queues, cover = Queues(catalog, rankings), Cover(True, Handles(tmp_path))
    filters = Filters(lane=lane, first=date(2026, 11, 1), last=date(2026, 11, 12))
    first = queues.page(filters, cover)
    rows = []
    for number in range(1, first.pages + 1):
        rows += queues.page(replace(filters, page=number), cover).rows
    assert len(rows) == first.total == first.counts[lane]
    keys = [(row["call_id"], row.get("silence_id")) for row in rows]
    assert len(set(keys)) == len(keys)
    if lane == "unresolved":
        order = [(-row["score"], row["call_id"]) for row in rows]
        assert order == sorted(order)
        reasons = {r["call_id"]: r["reasons"] for r in judged(catalog, date.min, date.max)}
        assert all(row["reasons"] == reasons[row["call_id"]] for row in rows)
    if lane == "alerts":
        assert [r["harm"] for r in rows] == sorted((r["harm"] for r in rows), reverse=True)


def test_filters_keep_what_they_say(catalog: Catalog, rankings: Rankings, tmp_path: Path) -> None:
    queues, cover = Queues(catalog, rankings), Cover(True, Handles(tmp_path))
    filters = Filters(first=date(2026, 11, 1), last=date(2026, 11, 12))
    everything = queues.page(filters, cover).rows
    some = queues.page(replace(filters, agent="A1", min_s=61), cover).rows
    assert some == [r for r in everything if r["agent_id"] == "A1" and r["duration_ms"] >= 61_000]
    assert 0 < len(some) < len(everything)
    by_reason = queues.page(replace(filters, reason="dead_air"), cover).rows
    expected = [r for r in everything if "dead_air" in {x["reason"] for x in r["reasons"]}]
    assert by_reason == expected


def test_a_publication_makes_a_new_ranking(
    catalog: Catalog, rankings: Rankings, store: Store
) -> None:
    day = date(2026, 11, 3)
    lens = rankings.of(day, day)
    assert rankings.of(day, day) is lens
    store.replace_rules([{**row, "run_id": "again"} for row in load_packs().rules_table()])
    assert rankings.of(day, day) is not lens
    assert rankings.known("demo-01-02", day) is not None
    assert rankings.known("demo-01-02", date(2026, 11, 4)) is None


def test_only_so_many_calls_are_kept(rankings: Rankings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranking, "KEPT_CALLS", 5)
    days = [date(2026, 11, number) for number in (1, 2, 3)]
    first = rankings.of(days[0], days[0])
    for day in days[1:]:
        rankings.of(day, day)
    assert rankings.of(days[0], days[0]) is not first


def test_share_of_a_sample_has_the_bounds_of_wilson() -> None:
    # Wilson, J. Am. Stat. Assoc. 22 (1927): 3 of 7 at 95 %
    rate = rate_of(3, 7)
    assert rate is not None
    assert (rate.share, rate.low, rate.high) == pytest.approx((0.4286, 0.1582, 0.7495), abs=5e-4)
    assert rate_of(0, 0) is None
    nobody = rate_of(0, 20)
    assert nobody is not None
    assert (nobody.low, nobody.high) == pytest.approx((0.0, 0.1611), abs=5e-4)
