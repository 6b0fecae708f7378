"""A window cut in two at the seam nearest its middle."""

from __future__ import annotations

from dataclasses import replace

from speechlytics.transcribe.features import HOP_MS
from speechlytics.transcribe.windows import TimeMap, Window


def halve(window: Window) -> tuple[Window, Window] | None:
    """Two windows that hold the same pieces, or ``None`` if there is only one piece."""
    pieces = window.times.pieces
    if len(pieces) < 2:
        return None
    middle = window.duration_ms / 2
    seam = min(range(1, len(pieces)), key=lambda i: abs(pieces[i].offset_ms - middle))
    offset_ms = pieces[seam].offset_ms
    second = tuple(replace(piece, offset_ms=piece.offset_ms - offset_ms) for piece in pieces[seam:])
    frame = offset_ms // HOP_MS
    return (
        replace(window, features=window.features[:, :frame], times=TimeMap(pieces[:seam])),
        replace(window, features=window.features[:, frame:], times=TimeMap(second)),
    )
