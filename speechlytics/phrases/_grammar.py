"""A phrase as written in a pack → slots, one per word that must be heard.

работа*            words that start so (at least three letters)
=обещаю            this very form, no other
звоню|пишу         one of these
%VERB+1per         a word of these grammemes (Russian and Ukrainian)
@manager           one of a word list of the pack's ``[words]``
звоню ... вчера    up to six other words between
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from speechlytics.phrases._keys import DICTIONARIES, unknown_grammemes
from speechlytics.phrases._languages import NEGATORS
from speechlytics.phrases._text import numeral_words, words

MIN_PREFIX = 3
SLACK_WORDS = 3  # other words that may stand between the words of a phrase
GAP_WORDS = 6  # other words that may stand where a phrase says "..."

Mode = Literal["exact", "stem", "fuzzy"]
Kind = Literal["form", "garbled_form", "stem", "fuzzy", "prefix", "grammemes"]


@dataclass(frozen=True, slots=True, order=True)
class Alternative:
    """One word that fills a slot, and how far from it a heard word may be.

    Of the kind ``grammemes`` every word that the dictionary gives all of ``word`` ("VERB+1per").
    """

    kind: Kind
    word: str


@dataclass(frozen=True, slots=True)
class Slot:
    """One place of a phrase; ``negator`` slots bind the slot that follows them."""

    language: str
    alternatives: frozenset[Alternative]
    negator: bool = False


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase ready to be looked for: its slots and how many words it may span."""

    source: str
    slots: tuple[Slot, ...]
    span_words: int


class PhraseProblem(ValueError):
    """A phrase that cannot be used, and why."""


def parse_phrase(
    source: str,
    *,
    language: str,
    mode: Mode,
    lists: dict[str, tuple[str, ...]],
    span_words: int | None = None,
) -> Phrase:
    """Parse one phrase.

    Args:
        source: The phrase as written.
        language: Language whose lemmas, negators and numerals apply.
        mode: ``exact`` (this form), ``stem`` (any inflection), ``fuzzy`` (garbled too).
        lists: Word lists that ``@name`` may refer to.
        span_words: The rule's ``within_words``, if given.

    Raises:
        PhraseProblem: the phrase normalises to nothing, names an unknown list, has a prefix
            that is too short, or cannot fit into ``span_words``.
    """
    slots: list[Slot] = []
    gaps = 0
    for part in source.split():
        if part in ("...", "…"):
            gaps += 1
            continue
        slots += _slots(part, language, mode, lists)
    if not slots:
        raise PhraseProblem(f"{source!r} holds no word: nothing is left after normalising")
    own = len(slots) + (SLACK_WORDS if len(slots) > 1 else 0) + gaps * GAP_WORDS
    if span_words is not None and span_words < len(slots):
        raise PhraseProblem(
            f"{source!r} has {len(slots)} words and can never stand within {span_words}; "
            "raise within_words"
        )
    return Phrase(source, tuple(slots), span_words if span_words is not None else own)


def _slots(part: str, language: str, mode: Mode, lists: dict[str, tuple[str, ...]]) -> list[Slot]:
    """Slots of one space-separated part; a hyphenated word makes several."""
    choices: list[str] = []
    for choice in part.split("|"):
        if choice.startswith("@"):
            if choice[1:] not in lists:
                raise PhraseProblem(
                    f"{choice} in {part!r} is no word list; define it under [words] "
                    f"(known: {', '.join(sorted(lists)) or 'none'})"
                )
            choices += lists[choice[1:]]
        else:
            choices.append(choice)
    return list(_filled(part, tuple(choices), language, mode))


@lru_cache(maxsize=100_000)
def _filled(part: str, choices: tuple[str, ...], language: str, mode: Mode) -> tuple[Slot, ...]:
    """Slots that ``choices`` fill; packs write the same words, and long lists, again and again."""
    parsed = [_choice(choice, language, mode) for choice in choices]
    lengths = {len(positions) for positions in parsed}
    if lengths == {0}:
        return ()
    if len(lengths) > 1:
        raise PhraseProblem(
            f"alternatives in {part!r} must all be single words; write phrases of their own"
        )
    return tuple(
        _slot(frozenset().union(*(positions[at] for positions in parsed)), language)
        for at in range(lengths.pop())
    )


@lru_cache(maxsize=100_000)
def _choice(choice: str, language: str, mode: Mode) -> tuple[frozenset[Alternative], ...]:
    if choice.startswith("%"):
        return (frozenset({_grammemes(choice, language)}),)
    body = choice.removeprefix("=").removesuffix("*")
    prefix, exact = choice.endswith("*"), choice.startswith("=")
    positions: list[frozenset[Alternative]] = []
    for word in words(body):
        if word.isdecimal():
            positions += [
                frozenset(_alternative(said, language, mode, exact=exact) for said in variants)
                for variants in numeral_words(word, language)
            ]
        else:
            positions.append(frozenset({_alternative(word, language, mode, exact=exact)}))
    if prefix and positions:
        stem = words(body)[-1]
        if len(stem) < MIN_PREFIX:
            raise PhraseProblem(
                f"{choice!r} is too short to stand for all words that start so; "
                f"give at least {MIN_PREFIX} letters"
            )
        positions[-1] = frozenset({Alternative("prefix", stem)})
    return tuple(positions)


def _grammemes(choice: str, language: str) -> Alternative:
    if language not in DICTIONARIES:
        raise PhraseProblem(
            f"{choice!r}: grammemes are known for {' and '.join(sorted(DICTIONARIES))} only"
        )
    unknown = unknown_grammemes(choice[1:], language)
    if unknown:
        raise PhraseProblem(
            f"{choice!r}: {', '.join(unknown)} is no grammeme of the OpenCorpora tagset, "
            "which writes 'VERB', 'INFN', '1per', 'futr', 'Name'"
        )
    return Alternative("grammemes", choice[1:])


def _alternative(word: str, language: str, mode: Mode, *, exact: bool) -> Alternative:
    if mode == "exact" or word in NEGATORS.get(language, ()):
        return Alternative("form", word)
    if exact:
        return Alternative("garbled_form" if mode == "fuzzy" else "form", word)
    return Alternative("stem" if mode == "stem" else "fuzzy", word)


def _slot(alternatives: frozenset[Alternative], language: str) -> Slot:
    negators = NEGATORS.get(language, frozenset())
    return Slot(language, alternatives, all(a.word in negators for a in alternatives))
