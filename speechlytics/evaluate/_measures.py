"""The measures, each over plain numbers: no tables, no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from speechlytics.records import Interval

RESAMPLES = 1000  # of the bootstrap: the ends of a 95 % interval then rest on 25 samples each
CONFIDENCE = 0.95
SEED = 20261001  # figures are the same whenever they are taken again

Item = TypeVar("Item")


def ratio(part: float, whole: float) -> float | None:
    """``part / whole``, ``None`` where there is nothing to divide by."""
    return part / whole if whole else None


def average_precision(ranked: Sequence[tuple[float, bool]]) -> float | None:
    """Area under the precision-recall steps: Σ (recallₙ − recallₙ₋₁) · precisionₙ.

    Args:
        ranked: ``(score, is positive)`` in any order; equal scores are one step, so that the
            order of ties makes no difference (as ``sklearn.metrics.average_precision_score``).
    """
    scores = np.array([score for score, _ in ranked], dtype=float)
    labels = np.array([label for _, label in ranked], dtype=float)
    positives = labels.sum()
    if not positives:
        return None
    order = np.argsort(-scores, kind="stable")
    scores, labels = scores[order], labels[order]
    last_of_tie = np.append(scores[1:] != scores[:-1], [True])
    true = np.cumsum(labels)[last_of_tie]
    seen = np.arange(1, len(labels) + 1)[last_of_tie]
    gained = np.diff(true, prepend=0.0)
    return float((gained * true / seen).sum() / positives)


def precision_at(ranked: Sequence[tuple[float, bool]], k: int) -> float | None:
    """Share of positives among the ``k`` highest scores; ties count by expectation."""
    if k <= 0 or len(ranked) < k:
        return None
    ordered = sorted(ranked, key=lambda pair: -pair[0])
    edge = ordered[k - 1][0]
    above = [label for score, label in ordered if score > edge]
    tied = [label for score, label in ordered if score == edge]
    return (sum(above) + sum(tied) / len(tied) * (k - len(above))) / k


def iou(left: Interval, right: Interval) -> float:
    """Intersection over union of two intervals, 0–1."""
    shared = min(left.end_ms, right.end_ms) - max(left.start_ms, right.start_ms)
    if shared <= 0:
        return 0.0
    return shared / (left.duration_ms + right.duration_ms - shared)


def pair_up(
    truth: Sequence[Interval], found: Sequence[Interval], min_iou: float
) -> list[tuple[int, int]]:
    """Indices ``(truth, found)`` that overlap by ``min_iou`` or more, best first, each once."""
    candidates = sorted(
        (
            (-overlap, t, f)
            for t, true in enumerate(truth)
            for f, other in enumerate(found)
            if (overlap := iou(true, other)) >= min_iou and overlap > 0
        ),
    )
    pairs: list[tuple[int, int]] = []
    used_truth: set[int] = set()
    used_found: set[int] = set()
    for _, t, f in candidates:
        if t not in used_truth and f not in used_found:
            pairs.append((t, f))
            used_truth.add(t)
            used_found.add(f)
    return sorted(pairs)


@cache
def _draws(calls: int) -> NDArray[np.int64]:
    """Which calls each resample holds, shape ``(RESAMPLES, calls)``; the same for all figures."""
    return np.random.default_rng(SEED).integers(0, calls, (RESAMPLES, calls))


def bootstrap(
    calls: Sequence[Item], measure: Callable[[Sequence[Item]], float | None]
) -> tuple[float | None, float | None]:
    """95 % interval of a measure, by drawing calls with replacement (percentile bootstrap).

    Calls, not turns, are drawn: what happens within a call hangs together. ``(None, None)``
    with fewer than two calls, or where too few samples could be measured.
    """
    if len(calls) < 2:
        return None, None
    values = (measure([calls[index] for index in drawn]) for drawn in _draws(len(calls)))
    return _interval([value for value in values if value is not None])


def bootstrap_ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float | None, float | None]:
    """:func:`bootstrap` of a sum of numerators over a sum of denominators, all at once."""
    if len(pairs) < 2:
        return None, None
    draws = _draws(len(pairs))
    numerators, denominators = (np.array(side, dtype=float) for side in zip(*pairs, strict=True))
    whole = denominators[draws].sum(axis=1)
    part = numerators[draws].sum(axis=1)
    return _interval(list(part[whole > 0] / whole[whole > 0]))


def _interval(values: Sequence[float]) -> tuple[float | None, float | None]:
    if len(values) < RESAMPLES // 2:
        return None, None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)
