"""Screen captures of a call: which one is shown when, and which pictures tell of a silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

THUMBNAILS = 4
"""Most pictures shown around one silence."""


@dataclass(frozen=True, slots=True)
class Thumb:
    """A small picture of a moment: capture ``n``, for a video at ``video_ms`` of its own clock."""

    n: int
    at_ms: int
    video_ms: int | None = None

    @property
    def query(self) -> dict[str, int]:
        """What its address says beside the call."""
        return {"n": self.n} if self.video_ms is None else {"n": self.n, "t": self.video_ms}


def shots_of(call: dict[str, Any]) -> list[dict[str, Any]]:
    """Captures of a stored call in order of time; ``n`` is their place in the stored list."""
    numbered = [{**shot, "n": n} for n, shot in enumerate(call.get("screens") or ())]
    return sorted(numbered, key=lambda shot: shot["start_ms"])


def around(shots: Sequence[dict[str, Any]], start_ms: int, end_ms: int) -> tuple[Thumb, ...]:
    """What the screen showed during a span: its first picture, its last, and some between.

    Args:
        shots: ``n``, ``kind``, ``start_ms``, ``end_ms`` each, on the recording's clock.
        start_ms: Where the span begins.
        end_ms: Where it ends.
    """
    inside = sorted(
        (shot for shot in shots if shot["start_ms"] < end_ms and shot["end_ms"] > start_ms),
        key=lambda shot: shot["start_ms"],
    )
    pictures = [
        Thumb(shot["n"], max(start_ms, shot["start_ms"]))
        for shot in inside
        if shot["kind"] == "image"
    ]
    if pictures:
        return tuple(pictures[i] for i in _spread(len(pictures)))
    video = next((shot for shot in inside if shot["kind"] == "video"), None)
    if video is None:
        return ()
    first, last = max(start_ms, video["start_ms"]), min(end_ms, video["end_ms"])
    step = (last - first) / THUMBNAILS
    # in the middle of equal parts: the borders of a silence are where something changes
    moments = [round(first + step * (i + 0.5)) for i in range(THUMBNAILS)]
    return tuple(Thumb(video["n"], at, at - video["start_ms"]) for at in moments)


def _spread(count: int) -> list[int]:
    """At most ``THUMBNAILS`` of so many ordinals: the first, the last and some between."""
    if count <= THUMBNAILS:
        return list(range(count))
    step = (count - 1) / (THUMBNAILS - 1)
    return [round(i * step) for i in range(THUMBNAILS)]
