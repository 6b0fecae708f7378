"""The vocabulary index against an exhaustive matcher that knows nothing of it."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from speechlytics.phrases import Matcher, load_packs
from speechlytics.phrases._keys import is_known, word_keys
from speechlytics.phrases._text import words
from speechlytics.records import Segment

PHRASES = (
    "расторгнуть договор", "не работает", "третий раз звоню", "позовите руководителя",
    "спасибо большое", "вернуть деньги на карту", "перезвоним", "интернет пропал", "менеджер",
    # Words shared with the phrases above, which the index tells apart by their other words.
    "интернет не работает", "третий раз не работает", "звоню менеджеру", "договор",
)  # fmt: skip
SPEECH = (
    "расторгну", "договор", "договора", "не", "работает", "работали", "третий", "3", "раз", "звоню",
    "позовите", "руководителя", "руководитель", "спасибо", "большое", "вернули", "денег", "на",
    "карту", "перезвоним", "интернет", "интэрнет", "пропал", "манеджер", "менеджеру", "это", "вот",
    "недолго", "отключить", "буду", "очень",
)  # fmt: skip
NUMBERS = {"3": {"три", "третий"}}
CARRIERS = {"буду", "очень", "это"}


def same_word(heard: str, wanted: str) -> bool:
    for said in NUMBERS.get(heard, {heard}):
        if wanted == "не" or said == "не":
            if said == wanted:
                return True
            continue
        a, b = word_keys(said, "ru"), word_keys(wanted, "ru")
        if said == wanted or a & b:
            return True
        if is_known(said, "ru") or min(len(said), len(wanted)) < 5:
            continue
        forms = [(x, y) for x in {said, *a} for y in {wanted, *b} if min(len(x), len(y)) >= 5]
        if any(x[0] == y[0] and fuzz.ratio(x, y) >= 85 for x, y in forms):
            return True
    return False


def negated(said: list[str], at: int) -> int | None:
    for before in range(at - 1, max(-1, at - 6), -1):
        if said[before] == "не":
            return before
        if said[before] not in CARRIERS:
            return None
    return None


def exhaustive(phrase: str, said: list[str]) -> bool:
    """Every choice of places in every window."""
    wanted = words(phrase)
    span = len(wanted) + (3 if len(wanted) > 1 else 0)
    for start in range(len(said)):
        window = range(start, min(len(said), start + span))
        for places in permutations(window, len(wanted)):
            if not all(same_word(said[p], w) for p, w in zip(places, wanted, strict=True)):
                continue
            if any(
                w == "не" and not 0 < places[i + 1] - places[i] <= 3
                for i, w in enumerate(wanted[:-1])
            ):
                continue
            governors = [negated(said, p) for p in places if said[p] != "не"]
            if all(g is None or g in places for g in governors):
                return True
    return False


@pytest.fixture(scope="module")
def matcher(tmp_path_factory: pytest.TempPathFactory) -> Matcher:
    folder: Path = tmp_path_factory.mktemp("packs")
    (folder / "ru").mkdir()
    body = "".join(
        f'[[rule]]\nid = "r{i}"\ncategory = "c"\nany = ["{phrase}"]\n'
        for i, phrase in enumerate(PHRASES)
    )
    (folder / "ru" / "own.toml").write_text(body, encoding="utf-8")
    return Matcher(load_packs([folder]))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=st.lists(st.sampled_from(SPEECH), min_size=1, max_size=9))
def test_index_finds_what_exhaustive_matching_finds(matcher: Matcher, said: list[str]) -> None:
    segment = Segment(0, 0, "customer", 0, 9000, " ".join(said))
    hits = matcher.match([segment], duration_ms=9000, language="ru")
    expected = {f"r{i}" for i, phrase in enumerate(PHRASES) if exhaustive(phrase, said)}
    assert {hit.rule_id for hit in hits} == expected


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    before=st.lists(st.sampled_from(("да", "вот", "город", "окно", "7")), max_size=8),
    after=st.lists(st.sampled_from(("да", "вот", "город", "окно", "7")), max_size=8),
    phrase=st.sampled_from(PHRASES),
)
def test_a_phrase_said_verbatim_is_found(
    matcher: Matcher, before: list[str], after: list[str], phrase: str
) -> None:
    text = " ".join([*before, phrase, *after])
    hits = matcher.match([Segment(0, 0, "agent", 0, 9000, text)], duration_ms=9000, language="ru")
    (hit,) = [hit for hit in hits if hit.rule_id == f"r{PHRASES.index(phrase)}"]
    assert hit.matched_text == phrase
    assert 0 <= hit.start_ms <= hit.end_ms <= 9000
