"""A conversation from elsewhere, and how it becomes a record of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from speechlytics.records import CallAnalysis, Recording, Segment, Transcript
from speechlytics.transcripts._turns import Span, activity_from_turns

KNOWN_METADATA = frozenset(
    {
        "call_id", "started_at", "direction", "agent_id", "team", "customer_id", "queue",
        "answered", "wait_s", "csat", "disconnect_by", "transferred_from", "transferred",
        "language", "duration_s", "model_id",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ImportedCall:
    """One conversation as its file tells it.

    Attributes:
        call_id: Unique within the file.
        segments: Turns by time, ``segment_id`` in that order. ``turns[i]`` is the position in the
            file that ``segments[i]`` came from (blank turns leave no segment).
        duration_ms: Length of the call; at least the end of its last turn.
        spans: Non-talk spans stated by the file, with their kind.
        language: As stated, ``be-ru`` for mixed speech; ``None`` if not stated.
        metadata: Everything else that the file says about the call, as it says it.
        where: File and line, for messages.
    """

    call_id: str
    segments: tuple[Segment, ...]
    turns: tuple[int, ...]
    duration_ms: int
    spans: tuple[Span, ...] = ()
    language: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    where: str = ""

    @property
    def started_at(self) -> datetime | None:
        """Start as stated, naive if it states no offset."""
        value = self.metadata.get("started_at")
        return datetime.fromisoformat(value) if isinstance(value, str) else None


def to_analysis(
    call: ImportedCall,
    *,
    zone: str,
    customer_key: Callable[[str], str | None],
    fallback_start: datetime = datetime(1970, 1, 1, tzinfo=UTC),
) -> CallAnalysis:
    """The call as a finished record, but for phrases and context (``analyze.with_phrases``).

    Args:
        call: What was read.
        zone: IANA zone of the contact centre: naive times are in it, call dates come from it.
        customer_key: Makes the pseudonym of a raw customer id; the id itself is not kept.
        fallback_start: Aware start of a call that states none.
    """
    local_zone = ZoneInfo(zone)
    started = call.started_at or fallback_start
    if started.tzinfo is None:
        started = started.replace(tzinfo=local_zone)
    local = started.astimezone(local_zone).replace(tzinfo=None)
    meta = call.metadata
    customer = meta.get("customer_id")
    agent_speaks = any(s.role == "agent" for s in call.segments)
    extra = {k: v for k, v in meta.items() if k not in KNOWN_METADATA}
    recording = Recording(
        call_id=call.call_id,
        uris=(),
        started_at=started,
        started_local=local,
        call_date=local.date(),
        role_source="metadata",
        direction=_text(meta.get("direction")),
        agent_id=_text(meta.get("agent_id")),
        team=_text(meta.get("team")),
        customer_key=None if customer in {None, ""} else customer_key(str(customer)),
        queue=_text(meta.get("queue")),
        answered=meta.get("answered", True if agent_speaks else None),
        wait_ms=_ms(meta.get("wait_s")),
        csat=None if meta.get("csat") is None else float(meta["csat"]),
        disconnect_by=_text(meta.get("disconnect_by")),
        transferred_from=_text(meta.get("transferred_from"))
        or ("unknown" if meta.get("transferred") is True else None),
        language=call.language,
        extra=json.dumps(extra, ensure_ascii=False, sort_keys=True) if extra else None,
    )
    return CallAnalysis(
        recording,
        "ok" if call.segments else "no_speech",
        activity=activity_from_turns(call.segments, call.duration_ms, call.spans),
        transcript=Transcript(
            segments=call.segments,
            language=call.language,
            language_probability=None,
            source="import",
            model_id=_text(meta.get("model_id")),
        ),
    )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _ms(seconds: Any) -> int | None:
    return None if seconds is None else round(float(seconds) * 1000)
