"""Non-talk of a call: where nobody on any channel speaks, and how both parties share the rest."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from speechlytics.activity.intervals import (
    Spans,
    at_least,
    complement,
    drop,
    from_intervals,
    intersect,
    subtract,
    total,
    union,
)
from speechlytics.config import ActivityConfig
from speechlytics.records import ChannelActivity, Position, Role, Silence, SilenceKind


def find_silences(
    channels: tuple[ChannelActivity, ...], duration_ms: int, config: ActivityConfig
) -> tuple[Silence, ...]:
    """Every span of at least ``min_silence_ms`` in which no channel speaks, in order.

    A span splits where its kind changes: music on any channel makes it ``hold_music``. A call in
    which nobody speaks has ``leading`` spans only.
    """
    speech = union(*(from_intervals(channel.speech) for channel in channels))
    music = union(*(from_intervals(channel.music) for channel in channels))
    quiet = complement(speech, 0, duration_ms)
    by_kind: tuple[tuple[SilenceKind, Spans], ...] = (
        ("silence", subtract(quiet, music)),
        ("hold_music", intersect(quiet, music)),
    )
    pieces = sorted(
        (start, end, kind)
        for kind, found in by_kind
        for start, end in drop(found, config.min_silence_ms).tolist()
    )
    first = int(speech[0, 0]) if len(speech) else duration_ms
    last = int(speech[-1, 1]) if len(speech) else duration_ms
    return tuple(
        Silence(
            start_ms=start,
            end_ms=end,
            kind=kind,
            position=_position(start, end, first, last),
            before_role=_who(channels, before_ms=start),
            after_role=_who(channels, after_ms=end),
        )
        for start, end, kind in pieces
    )


def talk_ms(channels: tuple[ChannelActivity, ...], role: Role) -> int | None:
    """Time in which ``role`` speaks, ms; ``None`` where no channel is known to be theirs."""
    own = [from_intervals(channel.speech) for channel in channels if channel.role == role]
    return total(union(*own)) if own else None


def overtalk(channels: tuple[ChannelActivity, ...], config: ActivityConfig) -> Spans | None:
    """Where two people speak at once for ``min_overtalk_ms`` or longer, ms.

    An ``ivr`` channel is no person. ``None`` where fewer than two channels hold people: a mono
    recording cannot tell.
    """
    people = [from_intervals(c.speech) for c in channels if c.role != "ivr"]
    if len(people) < 2:
        return None
    return drop(at_least(2, *people), config.min_overtalk_ms)


def _position(start: int, end: int, first: int, last: int) -> Position:
    if end <= first:
        return "leading"
    return "trailing" if start >= last else "inner"


def _who(
    channels: Iterable[ChannelActivity], before_ms: int | None = None, after_ms: int | None = None
) -> Role | None:
    """Who spoke last before ``before_ms``, or first from ``after_ms`` on.

    Two who stop or start in the same frame are told apart by name, so that the answer does not
    depend on the order of the channels.
    """
    found: list[tuple[int, Role]] = []
    for channel in channels:
        if before_ms is not None:
            ends = np.array([i.end_ms for i in channel.speech if i.end_ms <= before_ms])
            found += [(-int(ends.max()), channel.role)] if len(ends) else []
        if after_ms is not None:
            starts = np.array([i.start_ms for i in channel.speech if i.start_ms >= after_ms])
            found += [(int(starts.min()), channel.role)] if len(starts) else []
    return min(found)[1] if found else None
