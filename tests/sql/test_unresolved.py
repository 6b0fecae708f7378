"""The score: the sum of its reasons, each of them re-judged from rows written by hand."""

from __future__ import annotations

import datetime

import pytest


def reasons(catalog, call_id="c"):
    row = catalog.one("FROM unresolved(min_score := -100) WHERE call_id = $id", id=call_id)
    assert row["score"] == pytest.approx(sum(r["weight"] for r in row["reasons"]))
    assert [r["weight"] for r in row["reasons"]] == sorted(
        (r["weight"] for r in row["reasons"]), reverse=True
    )
    return {r["reason"]: r for r in row["reasons"]}


def test_every_ok_call_is_there_and_no_other(catalog):
    catalog.call("c")
    catalog.call("broken", status="failed")
    catalog.call("abandoned", status="no_recording")
    rows = catalog.ready().all("FROM unresolved(min_score := -100)")
    assert [r["call_id"] for r in rows] == ["c"]


def test_a_call_about_which_nothing_is_known_scores_zero(catalog):
    catalog.call("c", transcript_source=None)
    row = catalog.ready().one("FROM unresolved()")
    assert row["score"] == 0
    assert row["reasons"] == []


def test_reason_carries_quote_place_and_rule(catalog):
    catalog.call("c")
    catalog.hit("c", "cannot_help", 90, "agent", matched_text="ничем не могу помочь")
    reason = reasons(catalog.ready())["cannot_help"]
    assert reason["quote"] == "ничем не могу помочь"
    assert (reason["start_ms"], reason["role"]) == (90_000, "agent")
    assert reason["rule_id"] == "rule-cannot_help"


def test_a_rules_own_weight_wins_over_its_category(catalog):
    for call_id, rule in (("own", "own"), ("default", "default")):
        catalog.call(call_id)
        catalog.hit(call_id, "cannot_help", 100, rule_id=rule)
    catalog.row("rules", rule_id="own", category="cannot_help", weight=7.0, pack="p")
    catalog.row("rules", rule_id="default", category="cannot_help", weight=0.0, pack="p")
    catalog.ready()
    listed = catalog.one("FROM reason_weights WHERE reason = 'cannot_help' AND rule_id IS NULL")
    assert reasons(catalog, "own")["cannot_help"]["weight"] == 7.0
    assert reasons(catalog, "default")["cannot_help"]["weight"] == listed["weight"]


def test_saying_it_ten_times_counts_once(catalog):
    for call_id, times in (("once", 1), ("often", 10)):
        catalog.call(call_id)
        for number in range(times):
            catalog.hit(call_id, "issue_persists", 90 - number)
    catalog.ready()
    assert reasons(catalog, "once") == reasons(catalog, "often")


def test_late_words_weigh_more_than_early_ones(catalog):
    catalog.call("early")
    catalog.hit("early", "issue_persists", 2)
    catalog.call("late")
    catalog.hit("late", "issue_persists", 95)
    catalog.ready()
    early, late = (reasons(catalog, c)["issue_persists"]["weight"] for c in ("early", "late"))
    assert 0 < early < late


def test_thanks_at_the_end_outweigh_an_angry_beginning(catalog):
    catalog.call("c")
    for category in ("issue_persists", "cancel_threat", "profanity", "repeat_contact_mention"):
        catalog.hit("c", category, 5)
    catalog.hit("c", "thanks_resolved", 90)
    catalog.ready()
    assert catalog.one("FROM unresolved(min_score := -100)")["score"] < -1
    assert not catalog.all("FROM unresolved_calls")


def test_thanks_are_withdrawn_by_a_later_complaint(catalog):
    catalog.call("withdrawn")
    catalog.hit("withdrawn", "thanks_resolved", 60)
    catalog.hit("withdrawn", "issue_persists", 80)
    catalog.call("kept")
    catalog.hit("kept", "thanks_resolved", 60)
    catalog.ready()
    withdrawn, kept = (
        reasons(catalog, c)["thanks_resolved"]["weight"] for c in ("withdrawn", "kept")
    )
    assert kept < withdrawn < 0
    assert [r["call_id"] for r in catalog.all("FROM unresolved_calls")] == ["withdrawn"]


def test_closing_question_answered_no_counts_against_only_if_nothing_is_complained_of(catalog):
    for call_id, reply in (("no", "Нет, спасибо, всё"), ("asks", "А когда приедут?")):
        catalog.call(call_id)
        catalog.hit(call_id, "closing_question", 90, "agent")
        catalog.say(call_id, "agent", 90, "Ещё вопросы есть?")
        catalog.say(call_id, "customer", 93, reply)
    catalog.ready()
    assert reasons(catalog, "no")["nothing_left"]["quote"] == "Нет, спасибо, всё"
    assert "nothing_left" not in reasons(catalog, "asks")


def test_question_without_an_answer_hangs(catalog):
    for call_id, reply in (("hangs", None), ("answered", "В среду.")):
        catalog.call(call_id)
        catalog.say(call_id, "agent", 90, "Мастер приедет.")
        catalog.say(call_id, "customer", 93, "А когда?")
        if reply:
            catalog.say(call_id, "agent", 96, reply)
    catalog.ready()
    assert reasons(catalog, "hangs")["hanging_question"]["quote"] == "А когда?"
    assert "hanging_question" not in reasons(catalog, "answered")


def test_dead_air_counts_by_its_harm_and_says_what_was_waited_for(catalog):
    catalog.call("c")
    catalog.say("c", "customer", 10, "Почему не работает?")
    catalog.silence("c", 12, 30, after_question=True)
    catalog.say("c", "agent", 42, "Не знаю")
    catalog.ready()
    reason = reasons(catalog)["dead_air"]
    harm = catalog.one("FROM silence_alerts")["harm"]
    weight = catalog.one("FROM reason_weights WHERE reason = 'dead_air'")["weight"]
    assert reason["weight"] == pytest.approx(harm * weight, abs=0.01)
    assert reason["quote"] == "Почему не работает?"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"csat": 1}, "low_csat"),
        ({"csat": 5}, "high_csat"),
        ({"disconnect_by": "system"}, "broken_off"),
        ({"transferred_from": "A7"}, "transferred"),
        ({}, "no_closing"),
    ],
)
def test_circumstances(catalog, values, reason):
    catalog.call("c", **values)
    catalog.call("plain", transcript_source=None)
    catalog.ready()
    assert reason in reasons(catalog)
    assert reasons(catalog, "plain") == {}


def test_earlier_call_about_the_same_is_a_reason_and_the_later_one_confirms(catalog):
    catalog.call("first", day=0, customer_key="ann")
    catalog.call("second", day=2, customer_key="ann")
    catalog.call("latest", day=8)
    catalog.ready()
    assert reasons(catalog, "second")["repeat_contact"]["quote"] == "after first"
    confirmed = {
        r["call_id"]: r["repeat_confirmed"] for r in catalog.all("FROM unresolved(min_score := -9)")
    }
    assert confirmed == {"first": True, "second": None, "latest": None}


def test_since_keeps_the_earlier_call_in_mind(catalog):
    catalog.call("first", day=0, customer_key="ann")
    catalog.call("second", day=2, customer_key="ann")
    catalog.ready()
    rows = catalog.all(
        "FROM unresolved(min_score := -9, since := $day)", day=datetime.date(2026, 10, 6)
    )
    assert [r["call_id"] for r in rows] == ["second"]
    assert "repeat_contact" in {r["reason"] for r in rows[0]["reasons"]}


def test_cut_is_the_one_of_the_kpis(catalog):
    catalog.call("bad", agent_id="A1")
    catalog.hit("bad", "cannot_help", 90, "agent")
    catalog.call("good", agent_id="A1")
    catalog.hit("good", "thanks_resolved", 90)
    catalog.ready()
    assert [r["call_id"] for r in catalog.all("FROM unresolved_calls")] == ["bad"]
    assert catalog.one("FROM daily_kpis")["unresolved_share"] == 0.5
    assert catalog.one("FROM agent_scorecard")["unresolved_calls"] == 1


def test_no_number_of_the_score_stands_elsewhere(catalog):
    """Weights set to zero leave nothing: the score reads the one list and nothing else."""
    catalog.call("c", csat=1, disconnect_by="system")
    catalog.hit("c", "cannot_help", 90, "agent")
    catalog.hit("c", "thanks_resolved", 20)
    catalog.silence("c", 40, 30)
    catalog.ready()
    catalog.con.execute(
        "CREATE TABLE frozen AS SELECT * REPLACE (0.0 AS weight) FROM reason_weights"
    )
    catalog.con.execute("CREATE OR REPLACE VIEW reason_weights AS FROM frozen")
    assert reasons(catalog) == {}
