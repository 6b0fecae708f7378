"""One phrase in one stream: every place where all its words stand together, un-negated."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from speechlytics.phrases._languages import BREAKERS, CARRIERS, NEGATORS
from speechlytics.phrases._stream import Stream

NEGATION_REACH_WORDS = 4  # carriers over which a negator still governs a word
NEGATOR_GAP_WORDS = 2  # words between a phrase's negator and the word it negates («не очень-то»)


@dataclass(frozen=True, slots=True)
class CompiledPhrase:
    """A phrase whose slots are ids of the vocabulary; ``mask`` has their bits.

    ``anchor`` is the slot that is looked for first (the rarest one), ``needed`` the next one,
    ``None`` if there is no other: the phrase is tried only where that was said as well.
    ``any_order`` lets the words stand in any order, except that a negator stays before the word it
    negates.
    """

    slots: tuple[int, ...]
    mask: int
    negators: tuple[bool, ...]
    anchor: int
    needed: int | None
    span_words: int
    any_order: bool
    language: str
    ignore_negation: bool


@dataclass(frozen=True, slots=True)
class Match:
    """A place where a phrase was found: ``positions[i]`` fills slot ``i``."""

    phrase: CompiledPhrase
    positions: tuple[int, ...]
    first: int
    last: int


def find(phrase: CompiledPhrase, stream: Stream) -> Sequence[Match]:
    """All places of ``phrase``, one per place of its anchor: the tightest one; remembered."""
    key = id(phrase)  # programs outlive streams
    found = stream.found.get(key)
    if found is None:
        if stream.mask & phrase.mask != phrase.mask:
            return ()
        found = stream.found[key] = find_near(phrase, stream, 0, len(stream.tokens))
    return found


def find_near(phrase: CompiledPhrase, stream: Stream, first: int, end: int) -> tuple[Match, ...]:
    """As :func:`find`, only in sentences that have tokens of ``first``…``end - 1``."""
    mask, starts, masks, notable = phrase.mask, stream.sentence_starts, stream.masks, stream.notable
    anchor, tokens = phrase.slots[phrase.anchor], stream.tokens
    found: dict[tuple[int, ...], Match] = {}
    for number in range(bisect_right(starts, first), bisect_left(starts, end) + 1):
        if masks[number] & mask != mask:
            continue
        begin = starts[number - 1] if number else 0
        after = starts[number] if number < len(starts) else len(tokens)
        for at in notable[bisect_left(notable, begin) : bisect_left(notable, after)]:
            if anchor in tokens[at].slots:
                match = find_at(phrase, stream, at, begin, after)
                if match is not None:
                    found[match.positions] = match
    return tuple(found.values())


def find_at(
    phrase: CompiledPhrase, stream: Stream, at: int, begin: int, after: int
) -> Match | None:
    """The tightest match whose anchor is the token ``at``, or ``None``.

    The sentence of ``at`` stretches from the token ``begin`` to before ``after``.
    """
    if len(phrase.slots) == 1:
        return Match(phrase, (at,), at, at) if _holds(phrase, stream, (at,)) else None
    best: tuple[int, int, tuple[int, ...]] | None = None
    for positions in _assignments(phrase, stream, at, begin, after):
        first, last = min(positions), max(positions)
        if best is not None and (last - first, first) >= best[:2]:
            continue
        if _holds(phrase, stream, positions):
            best = (last - first, first, positions)
    if best is None:
        return None
    span, first, positions = best
    return Match(phrase, positions, first, first + span)


def _assignments(
    phrase: CompiledPhrase, stream: Stream, at: int, begin: int, after: int
) -> Iterable[tuple[int, ...]]:
    """All ways to give each slot a token within the span, around the anchor at ``at``."""
    span, tokens = phrase.span_words, stream.tokens
    low = max(begin, at - span + 1)
    window = [token.slots for token in tokens[low : min(after, at + span)]]
    candidates: list[list[int]] = []
    several = False
    for ordinal, slot in enumerate(phrase.slots):
        if ordinal == phrase.anchor:
            candidates.append([at])
            continue
        near = [p for p, slots in enumerate(window, low) if slot in slots]
        if not near:
            return ()
        candidates.append(near)
        several = several or len(near) > 1
    if several:
        return _combine(candidates, (), at, at, phrase)
    only = tuple([near[0] for near in candidates])
    if max(only) - min(only) >= span or len(set(only)) < len(only):
        return ()
    return (only,) if phrase.any_order or list(only) == sorted(only) else ()


def _combine(
    candidates: list[list[int]],
    chosen: tuple[int, ...],
    low: int,
    high: int,
    phrase: CompiledPhrase,
) -> Iterator[tuple[int, ...]]:
    if len(chosen) == len(candidates):
        yield chosen
        return
    for position in candidates[len(chosen)]:
        if position in chosen:
            continue
        if chosen and position < chosen[-1] and not phrase.any_order:
            continue
        lower, upper = min(low, position), max(high, position)
        if upper - lower < phrase.span_words:
            yield from _combine(candidates, (*chosen, position), lower, upper, phrase)


def _holds(phrase: CompiledPhrase, stream: Stream, positions: tuple[int, ...]) -> bool:
    """Whether the phrase's negators bind what they should, and nothing else is negated."""
    for ordinal, negator in enumerate(phrase.negators[:-1]):
        if negator and not _binds(stream, positions[ordinal], positions[ordinal + 1]):
            return False
    if phrase.ignore_negation:
        return True
    for ordinal, position in enumerate(positions):
        if phrase.negators[ordinal]:
            continue
        governor = governing_negator(stream, position, phrase.language)
        if governor is not None and governor not in positions:
            return False
    return True


def _binds(stream: Stream, negator: int, word: int) -> bool:
    gap = word - negator - 1
    if not 0 <= gap <= NEGATOR_GAP_WORDS:
        return False
    return stream.broken.isdisjoint(range(negator + 1, word + 1))


def governing_negator(stream: Stream, position: int, language: str) -> int | None:
    """Position of the negator in whose scope the token stands, or ``None``.

    A negator governs the next word, and through words that hand negation on («не буду
    переносить», "not going to cancel") the one after them, up to any punctuation.
    """
    negators, carriers, breakers = NEGATORS[language], CARRIERS[language], BREAKERS[language]
    if stream.tokens[position].word in negators:
        return None
    for at in range(position - 1, max(-1, position - 2 - NEGATION_REACH_WORDS), -1):
        if at + 1 in stream.broken:
            return None
        word = stream.tokens[at].word
        if word in negators:
            return at
        if word in breakers or word not in carriers:
            return None
    return None
