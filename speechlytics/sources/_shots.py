"""Captures that show the screen during a call: the join by time, pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from speechlytics.records import ScreenCapture

_SHORTEST_IMAGE_MS = 1000
# A foreign recorder does not say how long a picture stayed true; more than this is a guess.
_LONGEST_IMAGE_MS = 300_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Shot:
    """One capture as its name (or sidecar) tells it.

    Attributes:
        uri: Absolute path or URL.
        kind: Picture or video.
        start_ms: Unix time, ms.
        lane: What it follows upon: the monitor, and the kind.
        length_ms: Of a video, where a sidecar tells.
        marked: Its modification time says how long it stayed true (our own recorder).
    """

    uri: str
    kind: Literal["image", "video"]
    start_ms: int
    lane: str = ""
    length_ms: int | None = None
    marked: bool = False


EndOf = Callable[[Shot], int | None]
"""When a capture stopped showing the screen, Unix ms; ``None`` if nothing tells."""


def captures_during(
    shots: Iterable[Shot], started_at: datetime, duration_ms: int, end_of: EndOf
) -> tuple[ScreenCapture, ...]:
    """Captures that show the screen during a call, on the recording's clock. Pure.

    A picture lasts until the next one of its monitor, and no longer than ``end_of`` says; it is
    cut to the call. A video keeps its own start, negative where it began before the call: its
    position is the recording's time minus ``start_ms``.

    Args:
        shots: Captures of one agent, in any order.
        started_at: Start of the recording.
        duration_ms: Its length.
        end_of: See :data:`EndOf`; asked only for captures near the call.
    """
    call_start = unix_ms(started_at)
    call_end = call_start + duration_ms
    found = []
    for lane in lanes_of(shots):
        low = max(0, bisect_right(lane, call_start, key=start_of) - 1)
        high = bisect_left(lane, call_end, key=start_of)
        for index in range(low, high):
            shot = lane[index]
            following = lane[index + 1].start_ms if index + 1 < len(lane) else None
            end = _end(shot, following, end_of(shot))
            if end > call_start:
                found.append(_on_clock(shot, end, call_start, call_end))
    return tuple(sorted(found, key=lambda capture: (capture.start_ms, capture.uri)))


def lanes_of(shots: Iterable[Shot]) -> list[list[Shot]]:
    """Captures that follow upon each other, each lane by time."""
    lanes: dict[tuple[str, str], list[Shot]] = defaultdict(list)
    for shot in shots:
        lanes[shot.kind, shot.lane].append(shot)
    return [sorted(lane, key=start_of) for lane in lanes.values()]


def _end(shot: Shot, following: int | None, told: int | None) -> int:
    shortest = shot.start_ms + _SHORTEST_IMAGE_MS
    if shot.kind == "video":
        if told is not None:
            return max(told, shot.start_ms)
        return following if following is not None else shortest
    if told is None:
        told = shortest if following is None else shot.start_ms + _LONGEST_IMAGE_MS
    end = max(told, shortest)
    return end if following is None else min(end, following)


def _on_clock(shot: Shot, end: int, call_start: int, call_end: int) -> ScreenCapture:
    start_ms, end_ms = shot.start_ms - call_start, end - call_start
    if shot.kind == "image":
        start_ms, end_ms = max(0, start_ms), min(end_ms, call_end - call_start)
    return ScreenCapture(shot.uri, shot.kind, start_ms, end_ms)


def start_of(shot: Shot) -> int:
    """Sort key."""
    return shot.start_ms


def unix_ms(moment: datetime) -> int:
    """Unix time of an aware instant, ms."""
    return (moment - _EPOCH) // _MS
