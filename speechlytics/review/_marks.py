"""What the waveform marks: silences, holds, overtalk and phrases, with their channel."""

from __future__ import annotations

from collections.abc import Sequence

from speechlytics.review._catalog import Row
from speechlytics.review._turns import Pause, Turn

OVERTALK_MIN_MS = 300
"""Shortest overlap that is drawn; the same that ``calls.overtalk_ms`` counts."""
SILENCE_MIN_MS = 2000
SAME_PHRASE_MS = 1000


def regions(turns: Sequence[Turn], pauses: Sequence[Pause]) -> list[Row]:
    """Marks of a call: kind, start, end and more."""
    marks: list[Row] = [
        {
            "kind": "hold" if p.kind == "hold_music" or p.announced else "silence",
            "start_ms": p.start_ms,
            "end_ms": p.end_ms,
            "severity": p.severity,
        }
        for p in pauses
        if p.duration_ms >= SILENCE_MIN_MS or p.severity
    ]
    marks += [
        {"kind": "overtalk", "start_ms": start, "end_ms": end} for start, end in overtalk(turns)
    ]
    for turn in turns:
        marks += _hit_regions(turn)
    return marks


def overtalk(turns: Sequence[Turn]) -> list[tuple[int, int]]:
    """Where agent and customer speak at once, by their words."""
    agent, customer = (
        sorted((w.start_ms, w.end_ms) for t in turns if t.role == role for w in t.words)
        for role in ("agent", "customer")
    )
    both, i, j = [], 0, 0
    while i < len(agent) and j < len(customer):
        start, end = max(agent[i][0], customer[j][0]), min(agent[i][1], customer[j][1])
        if start < end:
            both.append((start, end))
        if agent[i][1] < customer[j][1]:
            i += 1
        else:
            j += 1
    joined: list[tuple[int, int]] = []
    for start, end in both:
        if joined and start - joined[-1][1] <= OVERTALK_MIN_MS:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= OVERTALK_MIN_MS]


def _hit_regions(turn: Turn) -> list[Row]:
    found: list[Row] = []
    for word in turn.words:
        if word.hit is None:
            continue
        last = found[-1] if found else None
        same = last and last["category"] == word.hit
        if last and same and word.start_ms - last["end_ms"] < SAME_PHRASE_MS:
            last["end_ms"] = word.end_ms
        else:
            found.append(
                {
                    "kind": f"hit-{word.sign}",
                    "category": word.hit,
                    "channel": turn.channel,
                    "start_ms": word.start_ms,
                    "end_ms": word.end_ms,
                }
            )
    return found
