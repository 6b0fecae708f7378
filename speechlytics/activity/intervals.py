"""Arithmetic on sets of time intervals.

A set is an int64 array of shape ``(n, 2)``: sorted, disjoint, non-touching rows
``[start, end)`` with ``start < end``. Every function takes and returns such sets; the unit is
the caller's (milliseconds throughout this package).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from speechlytics.records import Interval

Spans = NDArray[np.int64]

EMPTY: Spans = np.empty((0, 2), dtype=np.int64)
EMPTY.flags.writeable = False


def spans(*pairs: tuple[int, int]) -> Spans:
    """A set from pairs in any order, which may overlap; empty pairs vanish."""
    return at_least(1, np.array(pairs, dtype=np.int64).reshape(-1, 2))


def from_mask(mask: NDArray[np.bool_], unit: int = 1) -> Spans:
    """Stretches of True in ``mask`` (shape ``(n,)``), one element lasting ``unit``."""
    edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
    return edges.reshape(-1, 2).astype(np.int64) * unit


def to_mask(of: Spans, count: int) -> NDArray[np.bool_]:
    """Inverse of `from_mask` with a unit of 1, shape ``(count,)``; ``of`` lies inside it."""
    steps = np.zeros(count + 1, np.int8)
    steps[of[:, 0]] = 1
    steps[of[:, 1]] = -1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)


def to_intervals(of: Spans) -> tuple[Interval, ...]:
    """The same set as records."""
    return tuple(Interval(start, end) for start, end in of.tolist())


def from_intervals(intervals: tuple[Interval, ...]) -> Spans:
    """A set from records in any order."""
    return spans(*((interval.start_ms, interval.end_ms) for interval in intervals))


def at_least(depth: int, *sets: Spans) -> Spans:
    """Where at least ``depth`` rows overlap: 1 is the union, 2 of two sets the intersection."""
    rows = np.concatenate(sets) if sets else EMPTY
    rows = rows[rows[:, 0] < rows[:, 1]]
    if not len(rows):
        return EMPTY
    times = rows.T.ravel()
    steps = np.repeat(np.array([1, -1]), len(rows))
    # At equal times starts come first, so that touching rows join.
    order = np.lexsort((-steps, times))
    covered = np.cumsum(steps[order]) >= depth
    found = times[order][np.flatnonzero(np.diff(covered, prepend=False))].reshape(-1, 2)
    # Two sets that touch make an empty overlap, which is none.
    return found[found[:, 0] < found[:, 1]]


def union(*sets: Spans) -> Spans:
    """Where any set is."""
    return at_least(1, *sets)


def intersect(first: Spans, second: Spans) -> Spans:
    """Where both sets are."""
    return at_least(2, first, second)


def complement(of: Spans, start: int, end: int) -> Spans:
    """Where ``of`` is not, within ``[start, end)``."""
    inside = np.clip(of, start, end)
    gaps = np.concatenate(([start], inside.ravel(), [end])).reshape(-1, 2)
    return gaps[gaps[:, 0] < gaps[:, 1]]


def subtract(first: Spans, second: Spans) -> Spans:
    """Where ``first`` is and ``second`` is not."""
    if not len(first):
        return EMPTY
    return intersect(first, complement(second, int(first[0, 0]), int(first[-1, 1])))


def clip(of: Spans, start: int, end: int) -> Spans:
    """The part of ``of`` within ``[start, end)``."""
    inside = np.clip(of, start, end)
    return inside[inside[:, 0] < inside[:, 1]]


def fill(of: Spans, gap: int) -> Spans:
    """``of`` with every gap shorter than ``gap`` filled."""
    if len(of) < 2:
        return of
    wide = of[1:, 0] - of[:-1, 1] >= gap
    starts = of[np.concatenate(([True], wide)), 0]
    ends = of[np.concatenate((wide, [True])), 1]
    return np.stack((starts, ends), axis=1)


def drop(of: Spans, floor: int) -> Spans:
    """``of`` without the rows shorter than ``floor``."""
    return of[of[:, 1] - of[:, 0] >= floor]


def widen(of: Spans, reach: int) -> Spans:
    """``of`` with every row longer by ``reach`` (≥ 0) on both sides."""
    return union(of + np.array([-reach, reach]))


def reached(of: Spans, by: Spans) -> Spans:
    """Rows of ``of`` that overlap any row of ``by``."""
    if not len(by):
        return EMPTY
    nearest = np.searchsorted(by[:, 1], of[:, 0], side="right")
    start = by[np.minimum(nearest, len(by) - 1), 0]
    rows: Spans = of[(nearest < len(by)) & (start < of[:, 1])]
    return rows


def total(of: Spans) -> int:
    """Summed length."""
    return int((of[:, 1] - of[:, 0]).sum())
