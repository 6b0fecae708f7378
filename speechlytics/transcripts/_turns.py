"""Activity and silences from the times of turns, where there is no audio to measure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speechlytics.config import ActivityConfig
from speechlytics.records import (
    CallActivity,
    ChannelActivity,
    Interval,
    Position,
    Role,
    Segment,
    Silence,
    SilenceKind,
)

MIN_SILENCE_MS = ActivityConfig().min_silence_ms

Span = tuple[Interval, SilenceKind]


def silences_from_turns(
    segments: Sequence[Segment],
    duration_ms: int,
    spans: Sequence[Span] = (),
    *,
    min_silence_ms: int = MIN_SILENCE_MS,
) -> tuple[Silence, ...]:
    """Silences of a call from the gaps between its turns.

    Args:
        segments: Turns in any order; they may overlap.
        duration_ms: Length of the call.
        spans: Non-talk spans that the source states, with their kind. They are taken as they
            stand; gaps are searched in the rest of the call.
        min_silence_ms: Shorter gaps are left out.

    Returns:
        Sorted, disjoint silences inside the call, each of ``min_silence_ms`` or more.
    """
    talk = union(Interval(s.start_ms, min(s.end_ms, duration_ms)) for s in segments)
    stated = _disjoint(spans, duration_ms)
    gaps = complement(union([*talk, *(interval for interval, _ in stated)]), duration_ms)
    found: list[Span] = [*stated, *((gap, "silence") for gap in gaps)]
    neighbours = _Neighbours.of(segments)
    first = talk[0].start_ms if talk else duration_ms
    last = talk[-1].end_ms if talk else 0
    return tuple(
        Silence(
            start_ms=interval.start_ms,
            end_ms=interval.end_ms,
            kind=kind,
            position=_position(interval, first, last),
            before_role=neighbours.before(interval.start_ms),
            after_role=neighbours.after(interval.end_ms),
        )
        for interval, kind in sorted(found)
        if interval.duration_ms >= min_silence_ms
    )


def activity_from_turns(
    segments: Sequence[Segment], duration_ms: int, spans: Sequence[Span] = ()
) -> CallActivity:
    """What the times of the turns tell: talk per role, overtalk, silences.

    Sums are ``None`` where no turn has a known role.
    """
    by_role: dict[Role, list[Segment]] = {}
    for segment in segments:
        by_role.setdefault(segment.role, []).append(segment)
    agent = union(_interval(s) for s in by_role.get("agent", ()))
    customer = union(_interval(s) for s in by_role.get("customer", ()))
    both = intersection(agent, customer)
    known = bool(agent or customer)
    channels = sorted({(s.channel, s.role) for s in segments})
    return CallActivity(
        duration_ms=duration_ms,
        channels=tuple(
            ChannelActivity(
                channel=channel,
                role=role,
                speech=tuple(union(_interval(s) for s in by_role[role] if s.channel == channel)),
                music=(),
            )
            for channel, role in channels
        ),
        silences=silences_from_turns(segments, duration_ms, spans),
        agent_talk_ms=_total(agent) if known else None,
        customer_talk_ms=_total(customer) if known else None,
        overtalk_ms=_total(both) if known else None,
        overtalk_count=len(both) if known else None,
    )


def union(intervals: Iterable[Interval]) -> list[Interval]:
    """Sorted, disjoint intervals that cover the same time; empty ones vanish."""
    merged: list[Interval] = []
    for interval in sorted(i for i in intervals if i.duration_ms > 0):
        if merged and interval.start_ms <= merged[-1].end_ms:
            merged[-1] = Interval(merged[-1].start_ms, max(merged[-1].end_ms, interval.end_ms))
        else:
            merged.append(interval)
    return merged


def complement(disjoint: Sequence[Interval], duration_ms: int) -> list[Interval]:
    """What sorted, disjoint intervals leave uncovered of ``[0, duration_ms)``."""
    edges = [0, *(edge for i in disjoint for edge in (i.start_ms, i.end_ms)), duration_ms]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [Interval(start, end) for start, end in pairs if end > start]


def intersection(left: Sequence[Interval], right: Sequence[Interval]) -> list[Interval]:
    """Time that two lists of sorted, disjoint intervals share."""
    shared: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start = max(left[i].start_ms, right[j].start_ms)
        end = min(left[i].end_ms, right[j].end_ms)
        if start < end:
            shared.append(Interval(start, end))
        if left[i].end_ms < right[j].end_ms:
            i += 1
        else:
            j += 1
    return shared


def _disjoint(spans: Sequence[Span], duration_ms: int) -> list[Span]:
    """Stated spans cut to the call; of overlapping ones the later yields."""
    kept: list[Span] = []
    end = 0
    for interval, kind in sorted(spans):
        cut = Interval(max(interval.start_ms, end), min(interval.end_ms, duration_ms))
        if cut.duration_ms > 0:
            kept.append((cut, kind))
            end = cut.end_ms
    return kept


def _position(interval: Interval, first_ms: int, last_ms: int) -> Position:
    if interval.end_ms <= first_ms:
        return "leading"
    return "trailing" if interval.start_ms >= last_ms else "inner"


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """Who spoke last before and first after an instant, in O(log n)."""

    by_end: tuple[tuple[int, int, Role], ...]
    by_start: tuple[tuple[int, int, Role], ...]

    @classmethod
    def of(cls, segments: Sequence[Segment]) -> _Neighbours:
        return cls(
            tuple(sorted((s.end_ms, s.start_ms, s.role) for s in segments)),
            tuple(sorted((s.start_ms, s.end_ms, s.role) for s in segments)),
        )

    def before(self, instant_ms: int) -> Role | None:
        index = bisect_left(self.by_end, (instant_ms + 1,))
        return self.by_end[index - 1][2] if index else None

    def after(self, instant_ms: int) -> Role | None:
        index = bisect_left(self.by_start, (instant_ms,))
        return self.by_start[index][2] if index < len(self.by_start) else None


def _interval(segment: Segment) -> Interval:
    return Interval(segment.start_ms, segment.end_ms)


def _total(intervals: Sequence[Interval]) -> int:
    return sum(interval.duration_ms for interval in intervals)
