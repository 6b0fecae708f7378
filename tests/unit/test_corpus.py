"""The written training corpus: enough of it, the same each time, and held-out text held out."""

from __future__ import annotations

import random
import re
import tomllib
from pathlib import Path

import pytest

from models.training import corpus
from models.training.corpus.composer import Composer, distinct, load_grammar, tidy
from models.training.corpus.vocabulary import word_lists

DIALOGUES = Path(corpus.__file__).parents[3] / "pipelines" / "demo" / "dialogues"
LETTERS = {
    "ru": "а-яё",
    "en": "a-z'",
    "uk": "а-щьюяєіїґ'",
    "hu": "a-záéíóöőúüű",
}
# Categories of phrase packs that every call centre hears; some files group related ones.
RUSSIAN_CATEGORIES = {
    "callback_promise",
    "cannot_help",
    "hold_announcement",
    "hold_return",
    "repeat_contact_mention",
    "cancel_threat",
    "complaint_threat",
    "supervisor_request",
    "thanks_resolved",
    "resolution_confirmed",
    "issue_persists",
    "ticket_opened",
    "technician_visit",
    "closing_question",
    "refund_promise",
    "profanity",
    "greeting",
    "identification",
    "connection_problem",
    "billing_error",
    "tariff_service",
    "account_access",
    "ad_unsubscribe",
    "roaming",
    "sim_loss",
    "equipment",
    "contract",
}


def composer(language: str, seed: int = 1) -> Composer:
    return Composer(load_grammar(language), random.Random(seed))


@pytest.fixture(scope="module")
def built() -> dict[str, dict[str, list[str]]]:
    return {language: corpus.build(language, 1, 800) for language in ("en", "hu")}


def test_every_split_is_there_full_and_distinct(built: dict[str, dict[str, list[str]]]) -> None:
    for splits in built.values():
        assert set(splits) == set(corpus.SPLITS)
        for name in ("templates", "natural", "open"):
            assert len(splits[name]) == 800
        for sentences in splits.values():
            assert len(sentences) == len(set(sentences)) > 100


def test_held_out_text_never_occurs_in_training(built: dict[str, dict[str, list[str]]]) -> None:
    for splits in built.values():
        held = {corpus.normalised(s) for n, split in splits.items() if "held" in n for s in split}
        trained = {
            corpus.normalised(s) for n, split in splits.items() if "held" not in n for s in split
        }
        assert not held & trained


@pytest.mark.parametrize("language", corpus.LANGUAGES)
def test_held_out_clauses_are_no_training_clauses(language: str) -> None:
    grammar = load_grammar(language)
    trained = {t for group in grammar.templates.values() for t in group}
    assert not trained & set(grammar.held_out)
    for voice in (grammar.customer, grammar.agent):
        clauses = {c for group in voice.clauses.values() for c in group}
        assert voice.held_out
        assert not clauses & set(voice.held_out)


def test_same_seed_same_text_other_seed_other_text() -> None:
    first, again = corpus.build("en", 5, 200), corpus.build("en", 5, 200)
    assert first == again
    assert first["natural"] != corpus.build("en", 6, 200)["natural"]


@pytest.mark.parametrize(("language", "least"), [("ru", 20_000), ("en", 5_000), ("uk", 5_000)])
def test_thousands_of_distinct_sentences(language: str, least: int) -> None:
    source = composer(language)
    half = least // 2
    templates = set(distinct(source.template, half, frozenset()))
    turns = set(distinct(source.turn, half, frozenset()))
    assert len(templates | turns) >= least * 0.98


def test_hungarian_has_thousands_too() -> None:
    assert len(set(distinct(composer("hu").turn, 5_000, frozenset()))) == 5_000


@pytest.mark.parametrize("language", corpus.LANGUAGES)
def test_every_pattern_resolves_to_plain_speakable_text(language: str) -> None:
    grammar, source = load_grammar(language), composer(language)
    patterns = [t for group in grammar.templates.values() for t in group]
    patterns += grammar.held_out
    for voice in (grammar.customer, grammar.agent):
        patterns += [c for group in voice.clauses.values() for c in group]
        patterns += [*voice.held_out, *voice.openers, *voice.tails]
    for pattern in patterns:
        for _ in range(4):
            text = source.fill(pattern)
            assert re.fullmatch(rf"[{LETTERS[language]} ,.?!-]+", text.lower()), (pattern, text)
            assert text[0].isupper() or text[0] == "'", text


def test_every_phrase_pack_category_is_spoken_of_in_russian() -> None:
    assert set(load_grammar("ru").templates) >= RUSSIAN_CATEGORIES


def test_demo_turns_are_barred() -> None:
    turns = {
        corpus.normalised(turn.get("agent") or turn["customer"])
        for path in DIALOGUES.glob("*en*.toml")
        for turn in tomllib.loads(path.read_text(encoding="utf-8"))["turn"]
        if "agent" in turn or "customer" in turn
    }
    assert len(turns) > 30
    assert turns <= corpus.demo_turns()
    splits = corpus.build("en", 2, 4_000)
    trained = {corpus.normalised(s) for split in splits.values() for s in split}
    assert not turns & trained


@pytest.mark.parametrize("language", ["en", "hu"])
def test_word_lists_are_long(language: str) -> None:
    function, content = word_lists(language)
    assert len(function) >= 100
    assert len(content) >= 1_450


@pytest.mark.parametrize(
    ("language", "value", "words"),
    [
        ("ru", 0, "ноль"),
        ("ru", 1, "один"),
        ("ru", 20, "двадцать"),
        ("ru", 1000, "тысячу"),
        ("ru", 2322, "две тысячи триста двадцать два"),
        ("ru", 5011, "пять тысяч одиннадцать"),
        ("en", 41, "forty one"),
        ("en", 1305, "one thousand three hundred five"),
        ("uk", 91, "дев'яносто один"),
        ("uk", 2002, "дві тисячі два"),
        ("hu", 12, "tizenkettő"),
        ("hu", 22, "huszonkettő"),
        ("hu", 235, "kétszázharmincöt"),
        ("hu", 1000, "ezer"),
        ("hu", 2100, "kétezerszáz"),
    ],
)
def test_numbers_as_words(language: str, value: int, words: str) -> None:
    assert load_grammar(language).numbers.cardinal(value) == words


@pytest.mark.parametrize(
    ("language", "value", "words"),
    [
        ("ru", 1, "один рубль"),
        ("ru", 22, "двадцать два рубля"),
        ("ru", 111, "сто одиннадцать рублей"),
        ("uk", 21, "двадцять одну гривню"),
        ("uk", 4, "чотири гривні"),
        ("en", 1, "one pound"),
        ("en", 20, "twenty pounds"),
        ("hu", 502, "ötszázkét forint"),
    ],
)
def test_sums_agree_with_their_noun(language: str, value: int, words: str) -> None:
    assert load_grammar(language).numbers.money(value) == words


def test_numbers_beyond_the_words_are_refused() -> None:
    with pytest.raises(ValueError, match="10000"):
        load_grammar("en").numbers.cardinal(10_000)


def test_unknown_language_is_named() -> None:
    with pytest.raises(ValueError, match="'xx'"):
        corpus.build("xx", 1)


def test_tidy() -> None:
    assert tidy("ну , да . и что ,?") == "Ну, да. И что?"
    assert tidy("a(z) internet, a(z) posta") == "Az internet, a posta."
