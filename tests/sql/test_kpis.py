"""KPIs over a handful of calls whose figures can be added up by hand."""

from __future__ import annotations

import pytest


@pytest.fixture
def day(catalog):
    catalog.call("quick", wait_ms=20_000, agent_id="A1", csat=5, non_talk_ms=0)
    catalog.call("slow", wait_ms=181_000, agent_id="A1", csat=2, non_talk_ms=40_000)
    catalog.call("edge", wait_ms=180_000, agent_id="A2", non_talk_ms=0)
    catalog.call("gone", wait_ms=60_000, answered=False, status="no_recording", duration_ms=None,
                 transcript_source=None)  # fmt: skip
    catalog.call("lost", answered=None, status="failed", failed_stage="decode", error="no audio",
                 transcript_source=None)  # fmt: skip
    catalog.silence("slow", 10, 25)
    catalog.hit("quick", "thanks_resolved", 90)
    catalog.hit("quick", "closing_question", 92, "agent")
    catalog.hit("slow", "complaint_threat", 90)
    catalog.hit("slow", "connection_problem", 5)
    catalog.hit("slow", "connection_problem", 15, segment_id=3)
    catalog.hit("slow", "billing_error", 4)
    return catalog.ready()


def test_daily(day):
    row = day.one("FROM daily_kpis")
    assert (row["calls"], row["answered"], row["abandoned"], row["failed"]) == (5, 3, 1, 1)
    assert row["service_level"] == 2 / 4  # quick and edge of four whose answer is known
    assert row["unresolved_calls"] == 1
    assert row["unresolved_share"] == pytest.approx(1 / 3)
    assert row["dead_air_share"] == pytest.approx(25 / 300)
    assert row["negative_share"] == pytest.approx(1 / 3)
    assert row["avg_csat"] == 3.5


def test_hours_are_those_of_the_calls_wall_clock(day):
    day.con.execute("SET TimeZone = 'America/New_York'")
    rows = day.all("SELECT weekday, hour, calls FROM hourly_kpis")
    assert rows == [{"weekday": 1, "hour": 9, "calls": 5}]


def test_scorecard(day):
    rows = {r["agent_id"]: r for r in day.all("FROM agent_scorecard")}
    assert rows["A1"]["calls"] == 2
    assert rows["A1"]["closing_question_share"] == 0.5
    assert rows["A1"]["unresolved_share"] == 0.5
    assert rows["A2"]["avg_csat"] is None
    assert not day.all("FROM scorecard(since := '2030-01-01')")


def test_failures(day):
    row = day.one("FROM failures")
    assert (row["call_id"], row["failed_stage"], row["error"]) == ("lost", "decode", "no audio")


def test_main_topic_is_the_one_most_mentioned(day):
    topics = day.all("SELECT topic, main FROM call_topics ORDER BY main DESC")
    assert topics == [
        {"topic": "connection_problem", "main": True},
        {"topic": "billing_error", "main": False},
    ]


def test_sentiment(day):
    rows = day.all("SELECT call_id, sentiment FROM call_sentiment ORDER BY call_id")
    assert {r["call_id"]: r["sentiment"] for r in rows} == {
        "edge": "neutral", "quick": "positive", "slow": "negative",
    }  # fmt: skip


def test_timeline_is_in_order(catalog):
    catalog.call("c")
    catalog.say("c", "customer", 10, "Почему?")
    catalog.silence("c", 12, 8, after_question=True)
    catalog.hit("c", "issue_persists", 10)
    rows = catalog.ready().all("FROM call_timeline WHERE call_id = 'c'")
    assert [r["event"] for r in rows] == ["segment", "hit", "silence"]
    assert rows[2]["detail"] == "inner, unannounced, after a question"


def test_rule_performance_judges_each_rule_by_its_sign(catalog):
    for call_id in ("a", "b", "c"):
        catalog.call(call_id)
        catalog.hit(call_id, "cannot_help", 50, "agent")
        catalog.hit(call_id, "cannot_help", 60, "agent")
        catalog.hit(call_id, "thanks_resolved", 90)
    verdicts = [
        ("a", "resolved", 1),
        ("a", "unresolved", 2),
        ("b", "resolved", 1),
        ("c", "unclear", 1),
    ]
    reviewed = catalog.rows["calls"][0]["started_at"]
    for call_id, verdict, hour in verdicts:
        catalog.row(
            "reviews", review_id=f"{call_id}{hour}", call_id=call_id, verdict=verdict,
            sample_kind="random", reviewed_at=reviewed.replace(hour=hour),
        )  # fmt: skip
    rows = {r["rule_id"]: r for r in catalog.ready().all("FROM rule_performance")}
    against, for_ = rows["rule-cannot_help"], rows["rule-thanks_resolved"]
    assert (against["calls"], against["hits"]) == (3, 6)
    assert (against["confirmed"], against["refuted"]) == (1, 1)  # the latest verdict of "a"
    assert (for_["confirmed"], for_["refuted"]) == (1, 1)
    assert against["precision_random"] == 0.5
