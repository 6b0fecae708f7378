"""Phrase figures against labelled calls, turn by turn: counts that add up over calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TurnTruth:
    """Labels of one call; a label is a (category, turn) pair.

    ``hits``: each entry is one thing to find, in any of its turns (a phrase split over turns
    has several). ``distractors`` look like the category but are not; ``optional`` counts
    neither way. Every other turn is a negative.
    """

    hits: tuple[tuple[str, frozenset[int]], ...]
    distractors: frozenset[tuple[str, int]] = frozenset()
    optional: frozenset[tuple[str, int]] = frozenset()


@dataclass(frozen=True, slots=True)
class TurnCounts:
    """What was found, missed and wrongly found in one call, as (category, turn) pairs."""

    found: tuple[tuple[str, int], ...] = ()
    missed: tuple[tuple[str, int], ...] = ()
    wrong: tuple[tuple[str, int], ...] = ()
    distracted: tuple[tuple[str, int], ...] = ()
    distractors: int = field(default=0)


def compare_turns(
    truth: TurnTruth, fired: Iterable[tuple[str, int]], categories: frozenset[str]
) -> TurnCounts:
    """Compare the (category, turn) pairs that fired with the labels of one call.

    Args:
        truth: The labels.
        fired: What the matcher found; repeats count once.
        categories: Categories that were labelled at all; others are not judged.
    """
    left = {pair for pair in fired if pair[0] in categories}
    found: list[tuple[str, int]] = []
    missed: list[tuple[str, int]] = []
    expected: set[tuple[str, int]] = set()
    for category, turns in truth.hits:
        pairs = {(category, turn) for turn in turns}
        expected |= pairs
        (found if pairs & left else missed).append((category, min(turns)))
    wrong = left - expected - truth.optional
    return TurnCounts(
        found=tuple(found),
        missed=tuple(missed),
        wrong=tuple(sorted(wrong)),
        distracted=tuple(sorted(wrong & truth.distractors)),
        distractors=len(truth.distractors - expected),
    )
