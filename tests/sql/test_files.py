"""Every SQL file has a header, an example that runs, the columns promised, and its grain."""

from __future__ import annotations

import random
import re

import pytest

from speechlytics.sql import sql_files

FILES = {file.name: file for file in sql_files()}

# what contract §5 promises to users
PROMISED = {
    "unresolved", "unresolved_calls", "reason_weights", "silence_alerts", "long_silences",
    "repeat_contacts", "contact_chain", "fcr_by_day", "agent_scorecard", "daily_kpis",
    "hourly_kpis", "call_timeline", "call_topics", "call_sentiment", "rule_performance",
    "failures",
}  # fmt: skip

KEYS = {
    "search('когда')": "call_id, segment_id",
    "unresolved()": "call_id",
    "unresolved_calls": "call_id",
    "call_reasons()": "call_id, reason",
    "reasons_within()": "call_id, reason",
    "reason_weights": "reason, rule_id",
    "long_silences(min_duration_s := 1)": "call_id, silence_id",
    "silence_alerts": "call_id, silence_id",
    "contact_chain()": "call_id",
    "contact_links()": "call_id",
    "repeat_contacts": "call_id",
    "fcr_by_day": "call_date",
    "daily_kpis": "call_date",
    "hourly_kpis": "weekday, hour",
    "agent_scorecard": "agent_id",
    "call_facts": "call_id",
    "call_topics": "call_id, topic",
    "topics_in('phrase_hits')": "call_id, topic",
    "call_sentiment": "call_id",
    "call_timeline": "call_id, event, event_id",
    "contact_topics": "topic",
    "rule_performance": "rule_id",
    "failures": "call_id",
}

CATEGORIES = (
    "thanks_resolved", "issue_persists", "cannot_help", "closing_question", "connection_problem",
    "billing_error", "repeat_contact_mention", "harmless_wait", "sentiment_negative", "greeting",
)  # fmt: skip


@pytest.fixture(scope="module")
def busy(shared_catalog):
    """Sixty random calls that touch every table, with duplicates where the schema allows them."""
    rng, catalog = random.Random(7), shared_catalog
    for number in range(60):
        call = catalog.call(
            f"c{number}",
            day=rng.uniform(0, 20),
            customer_key=rng.choice([None, "ann", "bob", "eve"]),
            agent_id=rng.choice([None, "A1", "A2"]),
            status=rng.choice(["ok"] * 8 + ["failed", "no_recording", "no_speech"]),
            answered=rng.choice([True, True, False, None]),
            wait_ms=rng.choice([None, 5_000, 200_000]),
            csat=rng.choice([None, 1, 3, 5]),
            direction=rng.choice(["inbound", "outbound", None]),
        )
        for _ in range(rng.randrange(6)):
            catalog.hit(
                call,
                rng.choice(CATEGORIES),
                rng.uniform(0, 99),
                rule_id=rng.choice(["r1", "r2", "r3"]),
                segment_id=rng.randrange(4),
            )
        for at in range(0, 90, 30):
            catalog.say(call, rng.choice(["agent", "customer", "ivr"]), at, "А когда? Алло")
            catalog.silence(
                call,
                at + 2,
                rng.uniform(1, 28),
                announced=rng.choice([None, True, False]),
                kind=rng.choice(["silence", "hold_music"]),
                after_question=rng.choice([None, True, False]),
                position=rng.choice(["inner", "inner", "trailing", "leading"]),
            )
        for review in range(rng.randrange(3)):
            catalog.row(
                "reviews", review_id=f"{call}-{review}", call_id=call,
                verdict=rng.choice(["resolved", "unresolved", "unclear"]),
                sample_kind=rng.choice(["random", "targeted"]),
            )  # fmt: skip
    catalog.row("rules", rule_id="r1", category="cannot_help", weight=2.0, pack="p")
    catalog.row("rules", rule_id="never-fired", category="greeting", weight=None, pack="p")
    return catalog.ready()


def test_everything_promised_is_there():
    assert set(FILES) >= PROMISED


@pytest.mark.parametrize("name", FILES)
def test_header_says_what_it_is(name):
    file = FILES[name]
    assert file.title
    assert file.question.endswith("?")
    assert file.grain
    assert name in file.example
    assert f"CREATE OR REPLACE {file.kind.upper()} {name}" in file.statement
    assert set(file.needs) <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_example_runs(busy, name):
    busy.con.execute(FILES[name].example).fetchall()


@pytest.mark.parametrize("name", FILES)
def test_needs_are_stated(name):
    """A name of ours in the statement is in the header, so that the order holds."""
    file = FILES[name]
    body = "\n".join(line for line in file.statement.split("\n") if not line.startswith("--"))
    read = set(re.findall(r"\b(?:FROM|JOIN)\s+(\w+)", body))
    assert read & (set(FILES) - {name}) <= set(file.needs)


@pytest.mark.parametrize("source", KEYS)
def test_grain(busy, source):
    total, distinct = busy.con.execute(
        f"SELECT count(*), count(DISTINCT ({KEYS[source]},)) FROM {source}"
    ).fetchone()
    assert total == distinct
    assert total > 0


def test_grain_is_tested_for_every_relation():
    scalar = {
        "asks_for_time", "asks_if_anyone_is_there", "consents", "hands_over", "says_line_is_bad",
        "scorecard", "service_level",
    }  # fmt: skip
    tested = {source.split("(")[0] for source in KEYS}
    assert tested | scalar == set(FILES)
