"""Finished calls with known content, and SQL files, for tests of the store."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa

from speechlytics.records import (
    AudioFacts,
    CallActivity,
    CallAnalysis,
    ChannelActivity,
    Failure,
    Interval,
    PhraseHit,
    Recording,
    Segment,
    Silence,
    StageSha256,
    Transcript,
    Word,
)
from speechlytics.sql import SqlFile

DAY = date(2026, 3, 1)
MACRO = """
CREATE OR REPLACE MACRO longer_than(min_ms := 1000) AS TABLE
SELECT call_id FROM calls WHERE duration_ms > min_ms ORDER BY call_id;
"""
VIEW = "CREATE OR REPLACE VIEW long_ones AS SELECT * FROM longer_than(min_ms := 5000);"
SQL = (
    SqlFile("longer_than", "macro", "title", "question", "grain", "example", (), MACRO),
    SqlFile("long_ones", "view", "title", "question", "grain", "example", ("longer_than",), VIEW),
)


def analysis(
    call_id: str,
    *,
    day: date = DAY,
    segments: int = 2,
    words: int = 3,
    text: str = "слово",
    duration_ms: int = 60_000,
) -> CallAnalysis:
    """A transcribed call: ``segments`` turns of ``words`` words, a hit and a silence per turn."""
    turns = tuple(
        Segment(
            segment_id=i,
            channel=i % 2,
            role="agent" if i % 2 == 0 else "customer",
            start_ms=i * 4000,
            end_ms=i * 4000 + 2000,
            text=" ".join([text] * words),
            language="ru",
            avg_logprob=-0.25,
            no_speech_prob=0.5,
            compression_ratio=1.5,
            suspect=None,
            words=tuple(
                Word(text, i * 4000 + w * 100, i * 4000 + w * 100 + 90, 0.5) for w in range(words)
            ),
        )
        for i in range(segments)
    )
    silences = tuple(
        Silence(i * 4000 + 2000, i * 4000 + 4000, "silence", "inner", "agent", "customer", True)
        for i in range(segments)
    )
    hits = tuple(
        PhraseHit(
            "r1", "greeting", s.role, s.segment_id, s.start_ms, s.end_ms,
            text, "stem", 100.0, "ru", "p",
        )
        for s in turns
    )  # fmt: skip
    activity = CallActivity(
        duration_ms=duration_ms,
        channels=(ChannelActivity(0, "agent", (Interval(0, 2000),), ()),),
        silences=silences,
        agent_talk_ms=30_000,
        customer_talk_ms=20_000,
        overtalk_ms=100,
        overtalk_count=1,
    )
    return CallAnalysis(
        recording=recording(call_id, day),
        status="ok",
        facts=AudioFacts(f"sha-{call_id}", "pcm_alaw", 8000, 2, duration_ms),
        activity=activity,
        transcript=Transcript(turns, "ru", 0.75, "asr", "demo"),
        hits=hits,
        stage_sha256=StageSha256("a1", "t1", "p1"),
    )


def recording(call_id: str, day: date = DAY) -> Recording:
    start = datetime.combine(day, time(9, 30))
    return Recording(
        call_id=call_id,
        uris=(f"/calls/{call_id}.wav",),
        started_at=start.replace(hour=6, tzinfo=UTC),
        started_local=start,
        call_date=day,
        customer_key="key",
        agent_id="anna",
        csat=4.5,
        extra='{"x": 1}',
    )


FAILED = CallAnalysis(
    recording=recording("failed"), status="failed", failure=Failure("decode", "not audio")
)
UNRECORDED = CallAnalysis(
    recording=recording("unrecorded", date(2026, 3, 2)), status="no_recording"
)
ANALYSES = (
    analysis("a", segments=4, duration_ms=10_000),
    analysis("b", segments=1, duration_ms=8_000),
    analysis("c", segments=3, day=date(2026, 3, 2), duration_ms=500),
    FAILED,
    UNRECORDED,
)


def rows_of(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as dictionaries in an order that does not depend on how they were stored."""
    return sorted(table.to_pylist(), key=repr)
