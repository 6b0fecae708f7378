"""Figures: sums and rankings over labelled calls, for all of them and by language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

from speechlytics.evaluate._measures import (
    average_precision,
    bootstrap,
    bootstrap_ratio,
    iou,
    precision_at,
    ratio,
)
from speechlytics.evaluate._observed import Observed
from speechlytics.evaluate._tallies import Pair, Tally, boundary_errors_ms, tally
from speechlytics.evaluate._truth import TrueCall
from speechlytics.records import Interval

ALL = "all"
SAME_SILENCE_IOU = 0.5  # which labelled silence a found one is, for judging its harm
TOP = 10  # calls that QA can listen to in an hour

Ranked = Sequence[tuple[float, bool]]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        group: What it is about: ``phrases``, ``rules``, ``silences``, ``unresolved``, …
        name: The measure, e.g. ``precision``.
        of: A category or rule, or ``""`` for all.
        language: A language, or ``all``.
        value: ``None`` where nothing could be measured.
        low: Lower end of the 95 % bootstrap interval over calls.
        high: Upper end.
        count: Cases behind it: the denominator, or what was ranked.
    """

    group: str
    name: str
    of: str
    language: str
    value: float | None
    low: float | None
    high: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Judged:
    """One labelled call with what was found in it, and the counts of both."""

    truth: TrueCall
    observed: Observed
    tally: Tally


def judge(truth: Sequence[TrueCall], observed: Mapping[str, Observed]) -> list[Judged]:
    """Compare every labelled call that was found with its labels."""
    labelled = frozenset(
        category
        for call in truth
        if call.phrases is not None
        for category in (
            *(hit[0] for hit in call.phrases.hits),
            *(pair[0] for pair in call.phrases.distractors),
        )
    )
    return [
        Judged(call, seen, tally(call, seen, labelled))
        for call in truth
        if (seen := observed.get(call.call_id)) is not None
    ]


def figures(calls: Sequence[Judged]) -> tuple[Figure, ...]:
    """All figures, over all calls and, where there are several languages, for each."""
    scopes: dict[str, list[Judged]] = {ALL: list(calls)}
    languages = sorted({call.truth.language for call in calls})
    if len(languages) > 1:
        for call in calls:
            scopes.setdefault(call.truth.language, []).append(call)
    return tuple(
        figure
        for language in [ALL, *(languages if len(languages) > 1 else ())]
        for figure in (*_shares(scopes[language], language), *_ranks(scopes[language], language))
    )


def _shares(calls: Sequence[Judged], language: str) -> Iterator[Figure]:
    keys = dict.fromkeys(key for call in calls for key in call.tally)
    for key in keys:
        pairs = [call.tally.get(key, Pair(0, 0)) for call in calls]
        count = sum(pair.denominator for pair in pairs)
        if count:
            low, high = bootstrap_ratio(pairs)
            yield Figure(*key, language, _share(pairs), low, high, round(count))


def _share(pairs: Iterable[Pair]) -> float | None:
    numerators, denominators = zip(*pairs, strict=True)
    return ratio(sum(numerators), sum(denominators))


def _ranks(calls: Sequence[Judged], language: str) -> Iterator[Figure]:
    rankings: tuple[tuple[str, Callable[[Judged], Ranked]], ...] = (
        ("unresolved", _score),
        ("unresolved without thanks", _score_without_thanks),
        ("harmful silences", _harm),
    )
    for group, ranking in rankings:
        by_call = [ranking(call) for call in calls]
        ranked = [case for cases in by_call for case in cases]
        positives = sum(label for _, label in ranked)
        if not positives:
            continue
        for name, measure in (
            ("average precision", average_precision),
            (f"precision at {TOP}", partial(precision_at, k=TOP)),
            (f"precision at {positives}", partial(precision_at, k=positives)),
        ):
            low, high = bootstrap(by_call, partial(_pooled, measure=measure))
            yield Figure(group, name, "", language, measure(ranked), low, high, len(ranked))
    errors = [boundary_errors_ms(call.truth, call.observed) for call in calls]
    if any(errors):
        low, high = bootstrap(errors, _median)
        count = sum(map(len, errors))
        yield Figure(
            "silences", "median boundary error, ms", "", language, _median(errors), low, high, count
        )


def _pooled(
    by_call: Sequence[Ranked], *, measure: Callable[[Ranked], float | None]
) -> float | None:
    return measure([case for cases in by_call for case in cases])


def _median(errors: Iterable[Sequence[int]]) -> float | None:
    pooled = [error for call in errors for error in call]
    return float(median(pooled)) if pooled else None


def _score(call: Judged) -> Ranked:
    score, label = call.observed.score, call.truth.unresolved
    return [] if score is None or label is None else [(score, label)]


def _score_without_thanks(call: Judged) -> Ranked:
    score, label = call.observed.score_without_thanks, call.truth.unresolved
    return [] if score is None or label is None else [(score, label)]


def _harm(call: Judged) -> Ranked:
    """Every labelled silence with the harm that was found for it; 0 if it was not found."""
    return [
        (_harm_at(silence.span, call.observed), silence.harmful)
        for silence in call.truth.silences or ()
        if silence.harmful is not None
    ]


def _harm_at(span: Interval, observed: Observed) -> float:
    overlapping = [(iou(span, s.span), s.harm) for s in observed.stood]
    overlap, harm = max(overlapping, default=(0.0, 0.0))
    return harm if overlap >= SAME_SILENCE_IOU else 0.0
