"""Measures against scikit-learn, against each other, and by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechlytics.evaluate._measures import (
    average_precision,
    bootstrap,
    iou,
    pair_up,
    precision_at,
)
from speechlytics.records import Interval

metrics = pytest.importorskip("sklearn.metrics")
untimed = settings(deadline=None)  # machines differ; no test asserts a time

ranked = st.lists(st.tuples(st.integers(-5, 5).map(float), st.booleans()), min_size=1, max_size=40)


@untimed
@given(ranked)
def test_average_precision_is_scikit_learns(cases):
    if any(label for _, label in cases):
        scores, labels = zip(*cases, strict=True)
        expected = metrics.average_precision_score(labels, scores)
        assert average_precision(cases) == pytest.approx(expected)
    else:
        assert average_precision(cases) is None


def test_average_precision_by_hand():
    assert average_precision([(3, True), (2, False), (1, True)]) == pytest.approx((1 + 2 / 3) / 2)


@untimed
@given(ranked)
def test_precision_at_all_is_the_share_of_positives(cases):
    share = sum(label for _, label in cases) / len(cases)
    assert precision_at(cases, len(cases)) == pytest.approx(share)
    assert precision_at(cases, len(cases) + 1) is None


def test_precision_at_shares_a_tie():
    assert precision_at([(2, True), (1, True), (1, False)], 2) == pytest.approx(0.75)


spans = st.tuples(st.integers(0, 100), st.integers(1, 50)).map(lambda s: Interval(s[0], sum(s)))


@untimed
@given(spans, spans)
def test_iou(left, right):
    assert iou(left, right) == iou(right, left)
    assert 0 <= iou(left, right) <= 1
    assert iou(left, left) == 1
    ticks = [set(range(s.start_ms, s.end_ms)) for s in (left, right)]
    assert iou(left, right) == pytest.approx(len(ticks[0] & ticks[1]) / len(ticks[0] | ticks[1]))


@untimed
@given(st.lists(spans, max_size=6), st.lists(spans, max_size=6))
def test_pairs_use_each_span_once(truth, found):
    pairs = pair_up(truth, found, 0.5)
    assert len({t for t, _ in pairs}) == len({f for _, f in pairs}) == len(pairs)
    assert all(iou(truth[t], found[f]) >= 0.5 for t, f in pairs)


def test_bootstrap_covers_the_value_and_narrows_with_more_calls():
    def share(calls):
        return sum(calls) / len(calls)

    few, many = [True, False] * 10, [True, False] * 200
    (low, high), (low_many, high_many) = bootstrap(few, share), bootstrap(many, share)
    assert low < 0.5 < high
    assert high_many - low_many < high - low
    assert bootstrap(few, share) == (low, high)
    assert bootstrap([True], share) == (None, None)
