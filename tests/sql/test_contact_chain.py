"""Who calls again: against a second implementation that compares all pairs, and by example."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

WINDOW = timedelta(days=7)


def expected(calls, topics):
    """Every pair of calls of a customer, no window functions.

    A call that the centre makes continues whatever the customer had called about.
    """
    latest = max(call["started_at"] for call in calls)
    contacts = [c for c in calls if c["customer_key"] and c.get("answered") is not False]
    answer = {}
    for call in contacts:
        own = topics.get(call["call_id"], set())
        related = [
            other
            for other in contacts
            if other["customer_key"] == call["customer_key"]
            and other is not call
            and (not own or not topics.get(other["call_id"]) or own & topics[other["call_id"]])
        ]
        theirs = [o for o in contacts if o["customer_key"] == call["customer_key"]]

        def order(c):
            return (c["started_at"], c["call_id"])

        before = theirs if call["direction"] == "outbound" else related
        earlier = [o for o in before if order(o) < order(call)]
        later = [o for o in related if order(o) > order(call) and o["direction"] != "outbound"]
        previous = max(earlier, key=order, default=None)
        following = min(later, key=order, default=None)
        start = call["started_at"]
        repeats = previous is not None and start - previous["started_at"] <= WINDOW
        repeated = following is not None and following["started_at"] - start <= WINDOW
        is_open = latest < start + WINDOW
        answer[call["call_id"]] = (
            previous["call_id"] if repeats else None,
            following["call_id"] if repeated else None,
            is_open,
            None if is_open else repeated,
        )
    return answer


@pytest.mark.parametrize("seed", range(6))
def test_equals_comparing_all_pairs(catalog, seed):
    rng = random.Random(seed)
    topics = {}
    for number in range(80):
        call = catalog.call(
            f"c{number:02}",
            # whole half days: ties and exact window ends happen
            day=rng.randrange(80) / 2,
            customer_key=rng.choice([None, "ann", "bob", "bob", "eve", "eve", "eve"]),
            answered=rng.choice([True, True, True, None, False]),
            direction=rng.choice(["inbound", "inbound", "outbound", None]),
        )
        topics[call] = set(
            rng.sample(["billing_error", "roaming", "contract"], rng.choice([0, 1, 2]))
        )
        for topic in topics[call]:
            catalog.hit(call, topic, 1)
    catalog.ready()
    rows = catalog.all("FROM contact_chain()")
    found = {
        row["call_id"]: (
            row["previous_call_id"],
            row["next_call_id"],
            row["window_open"],
            row["repeat_confirmed"],
        )
        for row in rows
    }
    assert found == expected(catalog.rows["calls"], topics)
    for row in rows:
        assert (row["contact"] == "repeat") == (row["previous_call_id"] is not None)
        assert (row["contact"] == "repeat") == (row["chain_position"] > 1)
        assert (row["chain_id"] == row["call_id"]) == (row["contact"] != "repeat")


def test_first_is_trigger_and_later_ones_repeat(catalog):
    for name, day in (("first", 0), ("second", 3), ("third", 9), ("much-later", 30)):
        catalog.call(name, day=day, customer_key="ann")
    rows = catalog.ready().all("FROM contact_chain() ORDER BY started_at")
    assert [(r["call_id"], r["contact"], r["chain_id"]) for r in rows] == [
        ("first", "trigger", "first"),
        ("second", "repeat", "first"),
        ("third", "repeat", "first"),
        ("much-later", "single", "much-later"),
    ]
    assert [r["repeat_confirmed"] for r in rows] == [True, True, False, None]


def test_other_topic_is_no_repeat_and_unknown_topic_matches_any(catalog):
    for name, day, topic in (
        ("bill", 0, "billing_error"),
        ("roam", 1, "roaming"),
        ("what", 2, None),
    ):
        catalog.call(name, day=day, customer_key="ann")
        if topic:
            catalog.hit(name, topic, 1)
    rows = {r["call_id"]: r for r in catalog.ready().all("FROM contact_chain()")}
    assert rows["roam"]["contact"] == "trigger"
    assert rows["what"]["previous_call_id"] == "roam"
    assert rows["bill"]["next_call_id"] == "what"


def test_window_is_an_argument(catalog):
    catalog.call("a", day=0, customer_key="ann")
    catalog.call("b", day=10, customer_key="ann")
    catalog.ready()
    assert not catalog.all("FROM contact_chain() WHERE contact = 'repeat'")
    assert (
        catalog.one("FROM contact_chain(window_days := 14) WHERE contact = 'repeat'")[
            "previous_call_id"
        ]
        == "a"
    )


def test_calling_the_customer_back_does_not_confirm_that_it_was_unresolved(catalog):
    catalog.call("asked", day=0, customer_key="ann")
    catalog.call("we-called", day=1, customer_key="ann", direction="outbound")
    catalog.call("latest", day=20)
    row = catalog.ready().one("FROM contact_chain() WHERE call_id = 'asked'")
    assert row["repeat_confirmed"] is False


def test_a_caller_who_gave_up_has_contacted_nobody(catalog):
    catalog.call("gave-up", day=0, customer_key="ann", answered=False, status="no_recording")
    catalog.call("answered", day=0.01, customer_key="ann")
    assert catalog.ready().one("FROM contact_chain()")["contact"] == "single"


def test_mention_alone_makes_a_repeat_contact(catalog):
    catalog.call("says-so")
    catalog.hit("says-so", "repeat_contact_mention", 3)
    row = catalog.ready().one("FROM repeat_contacts")
    assert row["repeats_call_id"] is None
    assert row["mention"] == "words of repeat_contact_mention"


def test_fcr_leaves_open_windows_out(catalog):
    catalog.call("settled", day=0, customer_key="ann")
    catalog.call("unsettled", day=0, customer_key="bob")
    catalog.call("again", day=2, customer_key="bob")
    catalog.call("fresh", day=12, customer_key="eve")
    rows = catalog.ready().all("FROM fcr_by_day ORDER BY call_date")
    assert [r["fcr"] for r in rows] == [0.5, None, None]
    assert rows[0]["called_again"] == rows[0]["resolved_first"] == 1
    assert rows[2]["still_open"] == 1


def test_the_centre_calling_back_continues_the_customers_matter(catalog):
    for name, day, topic, direction in (
        ("net", 0, "connection_problem", "inbound"),
        ("back", 1, "contract", "outbound"),
        ("roam", 2, "roaming", "inbound"),
    ):
        catalog.call(name, day=day, customer_key="ann", direction=direction)
        catalog.hit(name, topic, 1)
    rows = {r["call_id"]: r for r in catalog.ready().all("FROM contact_chain()")}
    assert rows["back"]["previous_call_id"] == "net"
    assert rows["back"]["chain_id"] == "net"
    assert rows["roam"]["contact"] == "single"
    assert rows["net"]["repeat_confirmed"] is None


@pytest.mark.parametrize(
    ("hits", "topics"),
    [
        ([("contract", "customer", 2), ("roaming", "customer", 60)], ["contract"]),
        ([("contract", "customer", 2), ("roaming", "customer", 4)], ["contract", "roaming"]),
        ([("contract", "agent", 2), ("roaming", "customer", 10)], ["roaming", "contract"]),
        ([("roaming", "agent", 170)], []),
        ([("roaming", "customer", 30), ("roaming", "customer", 40), ("contract", "agent", 20)],
         ["roaming"]),
    ],
)  # fmt: skip
def test_topics_weigh_who_said_them_when(catalog, hits, topics):
    catalog.call("c")
    for number, (topic, role, at_s) in enumerate(hits):
        catalog.hit("c", topic, at_s, role, segment_id=number)
    query = "SELECT topic FROM call_topics WHERE call_id = 'c' ORDER BY evidence DESC"
    assert [row["topic"] for row in catalog.ready().all(query)] == topics
