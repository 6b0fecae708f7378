"""One labelled call against what was found in it, as counts that add up over calls.

Every share that is reported (precision, recall, F1, error rate, …) is the sum of a numerator over
the sum of a denominator; a call contributes a pair of both per figure.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from speechlytics.evaluate._measures import pair_up
from speechlytics.evaluate._observed import Observed
from speechlytics.evaluate._truth import TrueCall, TrueTurn
from speechlytics.phrases import compare_turns
from speechlytics.records import Interval, Role

LONG_SILENCE_MS = 5_000  # issue: long silences from 5 s, holds from 10 s
LONG_HOLD_MS = 10_000
MIN_IOU = 0.8


class Key(NamedTuple):
    """Which figure: a group, a measure, and the category or rule it is about (or ``""``)."""

    group: str
    name: str
    of: str = ""


class Pair(NamedTuple):
    """What a call adds to a figure."""

    numerator: float
    denominator: float


Tally = dict[Key, Pair]


def tally(truth: TrueCall, seen: Observed, labelled: frozenset[str]) -> Tally:
    """Everything that can be counted in one call.

    Args:
        truth: The labels.
        seen: What was found.
        labelled: Categories of phrases that the labels cover at all.
    """
    counts: dict[Key, Pair] = {}
    parts = (
        _phrases(truth, seen, labelled),
        _silences(truth, seen),
        _words(truth, seen),
        _unresolved(truth, seen),
        _repeats(truth, seen),
        _topics(truth, seen),
    )
    for part in parts:
        for key, numerator, denominator in part:
            old = counts.get(key, Pair(0, 0))
            counts[key] = Pair(old.numerator + numerator, old.denominator + denominator)
    return counts


Counted = Iterator[tuple[Key, float, float]]


def _precision_recall(group: str, of: str, *, right: int, wrong: int, missed: int) -> Counted:
    yield Key(group, "precision", of), right, right + wrong
    yield Key(group, "recall", of), right, right + missed
    yield Key(group, "F1", of), 2 * right, 2 * right + wrong + missed


def _phrases(truth: TrueCall, seen: Observed, labelled: frozenset[str]) -> Counted:
    """Turn level: a category is found if one of its hits falls into the labelled turn.

    Contact topics are left out: a call has a topic, not a turn (:func:`_topics`), and hints of it
    may fire anywhere.
    """
    if truth.phrases is None:
        return
    labelled -= seen.known_topics
    placed = [
        (hit.rule_id, hit.category, turn)
        for hit in seen.fired
        if (turn := turn_of(hit.role, hit.span, truth.turns)) is not None
    ]
    counts = compare_turns(truth.phrases, [(c, t) for _, c, t in placed], labelled)
    for of in sorted(labelled):
        right, wrong, missed, distracted = (
            sum(category == of for category, _ in pairs)
            for pairs in (counts.found, counts.wrong, counts.missed, counts.distracted)
        )
        labels = sum(category == of for category, _ in truth.phrases.distractors)
        for name in (of, ""):
            yield from _precision_recall("phrases", name, right=right, wrong=wrong, missed=missed)
            yield Key("phrases", "distractors fired", name), distracted, labels
    wrong_turns = set(counts.wrong)
    for rule, category, turn in set(placed):
        if category in labelled and (category, turn) not in truth.phrases.optional:
            yield Key("rules", "precision", rule), (category, turn) not in wrong_turns, 1


def turn_of(role: Role, span: Interval, turns: Sequence[TrueTurn]) -> int | None:
    """The turn of a role in which a hit lies: the one it overlaps most, else the nearest.

    A hit of unknown role (mono) may lie in anybody's turn.
    """
    best: tuple[int, int] | None = None
    for index, turn in enumerate(turns):
        if role not in {turn.role, "unknown"}:
            continue
        overlap = min(turn.span.end_ms, span.end_ms) - max(turn.span.start_ms, span.start_ms)
        if best is None or overlap > best[0]:
            best = (overlap, index)
    return None if best is None else best[1]


def _silences(truth: TrueCall, seen: Observed) -> Counted:
    """Long silences and holds by time (IoU ≥ 0.8), whatever was said around them."""
    if truth.silences is None:
        return
    silences = [s.span for s in truth.silences if s.span.duration_ms >= LONG_SILENCE_MS]
    found = [s.span for s in seen.stood if s.span.duration_ms >= LONG_SILENCE_MS]
    inside = (
        Interval(truth.turns[0].span.start_ms, truth.turns[-1].span.end_ms) if truth.turns else None
    )
    found = [s for s in found if inside is None or _touches(s, inside, truth)]
    yield from _by_overlap("silences", silences, found)
    music = [
        s.span
        for s in truth.silences
        if s.kind == "hold_music" and s.span.duration_ms >= LONG_HOLD_MS
    ]
    heard = [
        s.span for s in seen.stood if s.kind == "hold_music" and s.span.duration_ms >= LONG_HOLD_MS
    ]
    yield from _by_overlap("hold music", music, heard)


def _touches(span: Interval, inside: Interval, truth: TrueCall) -> bool:
    """Labels cover the talk, and beyond it only where they say so."""
    if span.start_ms < inside.end_ms and span.end_ms > inside.start_ms:
        return True
    return any(
        s.span.start_ms < span.end_ms and s.span.end_ms > span.start_ms
        for s in truth.silences or ()
    )


def _by_overlap(group: str, truth: Sequence[Interval], found: Sequence[Interval]) -> Counted:
    right = len(pair_up(truth, found, MIN_IOU))
    yield from _precision_recall(
        group, "", right=right, wrong=len(found) - right, missed=len(truth) - right
    )


def boundary_errors_ms(truth: TrueCall, seen: Observed) -> list[int]:
    """Distance of both ends of every matched long silence from the labelled ends."""
    true = [s.span for s in truth.silences or () if s.span.duration_ms >= LONG_SILENCE_MS]
    found = [s.span for s in seen.stood]
    return [
        error
        for t, f in pair_up(true, found, MIN_IOU)
        for error in (
            abs(true[t].start_ms - found[f].start_ms),
            abs(true[t].end_ms - found[f].end_ms),
        )
    ]


def _words(truth: TrueCall, seen: Observed) -> Counted:
    """Word and character errors per role: turns of a role against its segments, in order.

    Where a mono recording tells nobody apart, all that was said counts as one speaker's.
    """
    said: dict[Role, list[str]] = defaultdict(list)
    heard: dict[Role, list[str]] = defaultdict(list)
    mixed = bool(seen.heard) and all(segment.role == "unknown" for segment in seen.heard)
    for turn in truth.turns:
        said["unknown" if mixed else turn.role].append(turn.text)
    for segment in seen.heard:
        heard[segment.role].append(segment.text)
    for role, texts in said.items():
        if role == "ivr":
            continue
        reference = _plain(texts)
        hypothesis = _plain(heard[role])
        if not reference:
            continue
        import jiwer

        words = jiwer.process_words(reference, hypothesis)
        errors = words.substitutions + words.deletions + words.insertions
        yield Key("words", "WER"), errors, words.hits + words.substitutions + words.deletions
        signs = jiwer.process_characters(reference, hypothesis)
        errors = signs.substitutions + signs.deletions + signs.insertions
        yield Key("words", "CER"), errors, signs.hits + signs.substitutions + signs.deletions


def _plain(texts: Iterable[str]) -> str:
    """Lower case, ё as е, letters and digits only: how word error rates are compared."""
    text = " ".join(texts).casefold().replace("ё", "е")
    return " ".join("".join(c if c.isalnum() else " " for c in text).split())


def _unresolved(truth: TrueCall, seen: Observed) -> Counted:
    """Precision and recall at the default cut."""
    if truth.unresolved is None or seen.score is None:
        return
    cuts = (("unresolved", seen.cut), ("unresolved without thanks", seen.cut_without_thanks))
    for group, cut in cuts:
        yield from _decided(group, truth=truth.unresolved, found=cut)


def _repeats(truth: TrueCall, seen: Observed) -> Counted:
    if truth.repeat is not None:
        yield from _decided("repeat contact", truth=truth.repeat, found=seen.repeats)


def _decided(group: str, *, truth: bool, found: bool) -> Counted:
    yield from _precision_recall(
        group, "", right=truth and found, wrong=found and not truth, missed=truth and not found
    )


def _topics(truth: TrueCall, seen: Observed) -> Counted:
    """A call about nothing that ``contact_topics`` knows (a complaint, a parcel) does not count."""
    named = truth.topics & seen.known_topics
    if named:
        yield Key("topics", "main topic right"), seen.main_topic in named, 1
