"""Silences in context: conversations written by hand, hits placed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechlytics.context import BORDER_MS, CONTEXT_MS, in_context
from speechlytics.records import PhraseHit, Segment, Silence


def turns(*said):
    """``(role, start_s, text)`` of two seconds each."""
    return [
        Segment(i, 0 if role == "agent" else 1, role, int(s * 1000), int(s * 1000) + 2000, text)
        for i, (role, s, text) in enumerate(said)
    ]


def hit(segment, category, role=None):
    return PhraseHit(
        category, category, role or segment.role, segment.segment_id, segment.start_ms,
        segment.end_ms, segment.text, "exact", 100.0, "pack", "sha",
    )  # fmt: skip


def silence(start_s, end_s, **values):
    place = {"kind": "silence", "position": "inner", "before_role": None, "after_role": None}
    return Silence(int(start_s * 1000), int(end_s * 1000), **{**place, **values})


def asks(text, language):
    return "?" in text


def idle(text, language):
    return False


def context(segments, hits, at, tells_deed=idle):
    (found,) = in_context([at], segments, hits, "ru", asks=asks, tells_deed=tells_deed)
    return found


def tells_deed(text, language):
    return "открою" in text


@pytest.mark.parametrize(
    ("said", "for_s", "announced"),
    [
        ([("agent", 3, "Момент, открою карту")], 20, True),
        ([("agent", 3, "Момент, открою карту")], 2, False),  # a gap between turns, no wait
        (
            [("agent", 1, "Открываю. Тогда открою карту"), ("customer", 3, "Ну хорошо, жду")],
            20,
            True,
        ),
        ([("agent", 1, "Тогда открою карту"), ("customer", 3, "А зачем?")], 20, False),
        ([("customer", 3, "Сейчас открою договор")], 20, False),
        ([("agent", 3, "Назовите номер")], 20, False),
    ],
)
def test_what_the_agent_is_about_to_do_announces_a_wait(said, for_s, announced):
    at = silence(5, 5 + for_s)
    assert context(turns(*said), [], at, tells_deed).announced is announced


def test_the_shipped_grammar_tells_deeds():
    said = turns(("agent", 3, "Момент, я покажу сетевикам"))
    (found,) = in_context([silence(5, 30)], said, [], "ru")
    assert found.announced is True


def test_announced_by_the_agent_shortly_before():
    said = turns(("customer", 0, "Почему?"), ("agent", 3, "Минутку, посмотрю"))
    found = context(said, [hit(said[1], "hold_announcement")], silence(5, 30))
    assert found.announced is True
    assert found.thanked is False


@pytest.mark.parametrize(
    ("gap_s", "announced"), [(0, True), (CONTEXT_MS / 1000, True), (CONTEXT_MS / 1000 + 0.1, False)]
)
def test_announcement_reaches_ten_seconds(gap_s, announced):
    said = turns(("agent", 3, "Минутку"))
    at = silence(5 + gap_s, 40)
    assert context(said, [hit(said[0], "hold_announcement")], at).announced is announced


def test_a_customer_does_not_announce_but_unknown_speakers_may():
    said = turns(("customer", 3, "Минутку"))
    assert not context(said, [hit(said[0], "hold_announcement")], silence(5, 30)).announced
    mono = [hit(said[0], "hold_announcement", role="unknown")]
    assert context(said, mono, silence(5, 30)).announced


def test_thanked_after():
    said = turns(("agent", 0, "Минутку"), ("agent", 30, "Спасибо за ожидание"))
    found = context(said, [hit(said[1], "hold_return")], silence(2, 30))
    assert found.thanked is True
    assert context(said, [hit(said[1], "hold_return")], silence(2, 18)).thanked is False


@pytest.mark.parametrize(
    ("replies", "hangs"),
    [
        ((), True),
        (("Угу.",), True),
        (("Понимаю вас.",), True),
        (("Да.",), False),
        (("Завтра с десяти до двух.",), False),
        (("Угу.", "Завтра с десяти."), False),
    ],
)
def test_a_question_hangs_until_it_is_answered(replies, hangs):
    said = turns(
        ("customer", 0, "Когда приедет мастер?"),
        *(("agent", 3 + 3 * i, reply) for i, reply in enumerate(replies)),
    )
    end_s = said[-1].end_ms / 1000
    assert context(said, [], silence(end_s, end_s + 20)).after_question is hangs


def test_announcing_a_wait_answers_nothing():
    said = turns(("customer", 0, "Когда приедет мастер?"), ("agent", 3, "Так, сейчас я посмотрю"))
    at = silence(5, 30)
    assert context(said, [hit(said[1], "hold_announcement")], at).after_question
    assert not context(said, [], at).after_question


def test_a_problem_is_as_good_as_a_question():
    said = turns(("customer", 0, "Интернета так и нет"))
    assert context(said, [hit(said[0], "issue_persists")], silence(2, 20)).after_question
    assert not context(said, [hit(said[0], "greeting")], silence(2, 20)).after_question


def test_question_may_stand_in_an_earlier_segment_of_the_same_turn():
    said = turns(("customer", 0, "Сколько это стоит?"), ("customer", 3, "Мне для отчёта."))
    assert context(said, [], silence(5, 20)).after_question


def test_a_customer_who_asks_for_time_waits_for_nobody():
    said = turns(("customer", 0, "Где у него номер?"), ("customer", 3, "Сейчас найду"))
    assert not context(said, [hit(said[1], "harmless_wait")], silence(5, 40)).after_question


def test_segment_border_a_little_inside_the_silence_does_no_harm():
    said = turns(("customer", 0, "Когда?"), ("agent", 2, "Минутку"))
    at = silence(4 - BORDER_MS / 1000, 30)
    assert context(said, [hit(said[1], "hold_announcement")], at).announced


def test_recorded_announcements_are_nobodys_words():
    said = turns(("customer", 0, "Когда?"), ("ivr", 3, "Ваш звонок очень важен для нас"))
    assert context(said, [], silence(5, 20)).after_question


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["agent", "customer", "ivr", "unknown"]), st.integers(0, 100)),
        max_size=12,
    ),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 30)), max_size=6),
    st.integers(-5, 5),
)
def test_measured_fields_stay_and_shifting_all_times_changes_nothing(said, spans, shift_s):
    def run(offset_s):
        segments = turns(*((role, at + offset_s, "Когда?") for role, at in said))
        hits = [hit(s, "hold_announcement") for s in segments[::2]]
        silences = [silence(at + offset_s, at + offset_s + n) for at, n in spans]
        return silences, in_context(silences, segments, hits, None, asks=asks)

    before, found = run(10)
    _, shifted = run(10 + shift_s)
    assert [(s.start_ms, s.end_ms, s.kind) for s in found] == [
        (s.start_ms, s.end_ms, s.kind) for s in before
    ]
    facts = [(s.announced, s.after_question, s.thanked) for s in found]
    assert facts == [(s.announced, s.after_question, s.thanked) for s in shifted]
    assert all(value is not None for fact in facts for value in fact)
