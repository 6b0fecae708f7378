"""Interval arithmetic against one boolean per millisecond, and what silences always are."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechlytics.activity import intervals as iv
from speechlytics.activity.silences import find_silences, overtalk
from speechlytics.config import ActivityConfig
from speechlytics.records import ChannelActivity, Silence

LENGTH = 60
CONFIG = ActivityConfig(min_silence_ms=5, min_overtalk_ms=3)

masks = st.lists(st.booleans(), min_size=LENGTH, max_size=LENGTH).map(np.array)
runs = st.lists(st.tuples(st.booleans(), st.integers(1, 15)), min_size=1, max_size=20).map(
    lambda parts: np.resize(np.repeat([p[0] for p in parts], [p[1] for p in parts]), LENGTH)
)
sounds = st.one_of(masks, runs)


def as_mask(spans: iv.Spans, length: int = LENGTH) -> np.ndarray:
    mask = np.zeros(length, bool)
    for start, end in spans.tolist():
        assert 0 <= start < end <= length
        mask[start:end] = True
    return mask


def assert_set(spans: iv.Spans) -> None:
    flat = spans.ravel()
    assert (np.diff(flat) > 0).all(), "sorted, disjoint, not touching, none empty"


@given(sounds)
def test_a_mask_comes_back(mask: np.ndarray) -> None:
    spans = iv.from_mask(mask)
    assert_set(spans)
    assert (as_mask(spans) == mask).all()
    assert (iv.from_intervals(iv.to_intervals(spans)) == spans).all()
    assert (iv.to_mask(spans, len(mask)) == mask).all()


@given(st.lists(st.tuples(st.integers(0, LENGTH), st.integers(0, LENGTH)), max_size=12))
def test_pairs_in_any_order_become_a_set(pairs: list[tuple[int, int]]) -> None:
    mask = np.zeros(LENGTH, bool)
    for start, end in pairs:
        mask[start:end] = True
    spans = iv.spans(*pairs)
    assert_set(spans)
    assert (as_mask(spans) == mask).all()


@given(sounds, sounds, sounds)
def test_set_operations(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    first, second, third = iv.from_mask(a), iv.from_mask(b), iv.from_mask(c)
    for found, truth in (
        (iv.union(first, second, third), a | b | c),
        (iv.intersect(first, second), a & b),
        (iv.subtract(first, second), a & ~b),
        (iv.at_least(2, first, second, third), a.astype(int) + b + c >= 2),
    ):
        assert_set(found)
        assert (as_mask(found) == truth).all()
    assert iv.total(first) == a.sum()


@given(sounds, st.integers(0, LENGTH), st.integers(0, LENGTH))
def test_complement_and_clip(mask: np.ndarray, low: int, high: int) -> None:
    low, high = sorted((low, high))
    inside = np.zeros(LENGTH, bool)
    inside[low:high] = True
    spans = iv.from_mask(mask)
    assert (as_mask(iv.complement(spans, low, high)) == (~mask & inside)).all()
    assert (as_mask(iv.clip(spans, low, high)) == (mask & inside)).all()


@given(sounds, st.integers(1, 12))
def test_fill_and_drop(mask: np.ndarray, floor: int) -> None:
    spans = iv.from_mask(mask)
    filled, kept = mask.copy(), mask.copy()
    for start, end in iv.from_mask(~mask).tolist():
        if end - start < floor and start > 0 and end < LENGTH:
            filled[start:end] = True
    for start, end in spans.tolist():
        if end - start < floor:
            kept[start:end] = False
    assert (as_mask(iv.fill(spans, floor)) == filled).all()
    assert (as_mask(iv.drop(spans, floor)) == kept).all()


@given(sounds, st.integers(0, 6))
def test_widen(mask: np.ndarray, reach: int) -> None:
    padded = np.pad(mask, reach)
    truth = [padded[max(0, at - reach) : at + reach + 1].any() for at in range(len(padded))]
    found = iv.widen(iv.from_mask(mask), reach) + reach
    assert (as_mask(found, len(padded)) == np.array(truth, bool)).all()


@given(sounds, sounds)
def test_reached(a: np.ndarray, b: np.ndarray) -> None:
    truth = [row for row in iv.from_mask(a).tolist() if b[row[0] : row[1]].any()]
    assert iv.reached(iv.from_mask(a), iv.from_mask(b)).tolist() == truth


def _channels(
    sound: list[np.ndarray], music: list[np.ndarray], roles: tuple[str, ...] = ("agent", "customer")
) -> tuple[ChannelActivity, ...]:
    return tuple(
        ChannelActivity(
            index,
            role,
            iv.to_intervals(iv.from_mask(s & ~m)),
            iv.to_intervals(iv.from_mask(m)),
        )
        for index, (s, m, role) in enumerate(zip(sound, music, roles, strict=True))
    )


def _last_speaker(channels: tuple[ChannelActivity, ...], before: int) -> set[str]:
    """Roles heard in the last millisecond before ``before`` in which anybody is."""
    for at in range(before - 1, -1, -1):
        roles = {
            c.role for c in channels for i in c.speech if i.start_ms <= at < i.end_ms <= before
        }
        if roles:
            return roles
    return set()


@given(sounds, sounds, sounds, sounds)
def test_silences_are_what_a_listener_would_write_down(
    a: np.ndarray, b: np.ndarray, m: np.ndarray, n: np.ndarray
) -> None:
    channels = _channels([a, b], [m, n])
    silences = find_silences(channels, LENGTH, CONFIG)
    talk = (a & ~m) | (b & ~n)
    kinds = np.where(talk, "talk", np.where(m | n, "hold_music", "silence"))
    truth = [
        (start, end, kind)
        for kind in ("silence", "hold_music")
        for start, end in iv.from_mask(kinds == kind).tolist()
        if end - start >= CONFIG.min_silence_ms
    ]
    assert [(s.start_ms, s.end_ms, s.kind) for s in silences] == sorted(truth)
    for silence in silences:
        _check_position(silence, talk)
        before = _last_speaker(channels, silence.start_ms)
        assert silence.before_role == (min(before) if before else None)


def _check_position(silence: Silence, talk: np.ndarray) -> None:
    assert 0 <= silence.start_ms < silence.end_ms <= LENGTH
    before, after = talk[: silence.start_ms].any(), talk[silence.end_ms :].any()
    expected = "leading" if not before else "inner" if after else "trailing"
    assert silence.position == expected
    assert (silence.before_role is not None) == before
    assert (silence.after_role is not None) == after


@given(sounds, sounds, sounds, sounds)
def test_channels_may_be_swapped(
    a: np.ndarray, b: np.ndarray, m: np.ndarray, n: np.ndarray
) -> None:
    one = _channels([a, b], [m, n])
    other = _channels([b, a], [n, m], ("customer", "agent"))
    assert find_silences(one, LENGTH, CONFIG) == find_silences(other, LENGTH, CONFIG)
    first, second = overtalk(one, CONFIG), overtalk(other, CONFIG)
    assert first is not None
    assert second is not None
    both = iv.from_mask(a & ~m & b & ~n)
    assert first.tolist() == second.tolist() == iv.drop(both, CONFIG.min_overtalk_ms).tolist()


@given(sounds, sounds, st.integers(1, 40))
def test_a_delay_shifts_every_silence(a: np.ndarray, b: np.ndarray, delay: int) -> None:
    a, b = a.copy(), b.copy()
    a[0] = True  # somebody speaks at once: the delay is one leading silence
    none = np.zeros(LENGTH, bool)
    late = np.zeros(delay, bool)
    plain = find_silences(_channels([a, b], [none, none]), LENGTH, CONFIG)
    longer = np.concatenate((late, none))
    shifted = find_silences(
        _channels([np.concatenate((late, a)), np.concatenate((late, b))], [longer, longer]),
        LENGTH + delay,
        CONFIG,
    )
    moved = [(s.start_ms - delay, s.end_ms - delay, s.kind, s.before_role) for s in shifted]
    lead = [] if delay < CONFIG.min_silence_ms else [(-delay, 0, "silence", None)]
    assert moved == lead + [(s.start_ms, s.end_ms, s.kind, s.before_role) for s in plain]
