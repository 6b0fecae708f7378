"""Speaker labels → roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from speechlytics.records import Role, Segment

_NAMES: dict[str, Role] = {
    **dict.fromkeys(("agent", "operator", "advisor", "оператор", "агент", "аператар"), "agent"),
    **dict.fromkeys(("customer", "client", "caller", "клиент", "клієнт", "кліент"), "customer"),
    **dict.fromkeys(("ügyintéző", "operátor"), "agent"),
    **dict.fromkeys(("ügyfél", "абонент"), "customer"),
    **dict.fromkeys(("ivr", "system", "bot", "robot"), "ivr"),
}
CHANNELS: dict[Role, int] = {"agent": 0, "customer": 1, "ivr": 0, "unknown": 0}


def role_of(label: object, speakers: Mapping[str, Role]) -> Role:
    """Role of a speaker label; ``unknown`` where nothing says it."""
    if not isinstance(label, str):
        return "unknown"
    return speakers.get(label) or _NAMES.get(label.strip().casefold(), "unknown")


def numbered(segments: Iterable[tuple[int, Segment]]) -> tuple[list[int], tuple[Segment, ...]]:
    """Segments by ``(start_ms, channel)`` with their ordinals, and where each came from."""
    ordered = sorted(segments, key=lambda pair: (pair[1].start_ms, pair[1].channel, pair[0]))
    origins = [origin for origin, _ in ordered]
    return origins, tuple(
        replace(segment, segment_id=ordinal) for ordinal, (_, segment) in enumerate(ordered)
    )
