"""Records → Arrow tables, column by column (a row at a time would cost several times more)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, chain
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from speechlytics.records import CallAnalysis, Role, Segment, Silence, Word
from speechlytics.schema import CALL_TABLES, CALLS, PHRASE_HITS, SEGMENTS, SILENCES, TABLES, WORDS

MS_PER_MINUTE = 60_000


def tables_from(
    analyses: Iterable[CallAnalysis], run_id: str, *, segments: bool = True
) -> dict[str, pa.Table]:
    """Rows of ``calls``, ``segments``, ``silences`` and ``phrase_hits`` for finished calls.

    Sums over non-talk count inner spans only; what was not measured is NULL.

    Args:
        analyses: Finished calls.
        run_id: The run that made them.
        segments: ``False`` leaves that table out, the largest by far, where it stays as it is.
    """
    batch = list(analyses)
    tables = {"calls": _calls(batch, run_id)}
    if segments:
        tables["segments"] = _segments(batch, run_id)
    return tables | {"silences": _silences(batch, run_id), "phrase_hits": _hits(batch, run_id)}


def empty_tables() -> dict[str, pa.Table]:
    """The partitioned tables without rows."""
    return {name: TABLES[name].empty_table() for name in CALL_TABLES}


def _table(schema: pa.Schema, columns: dict[str, Any]) -> pa.Table:
    arrays = []
    for field in schema:
        values = columns[field.name]
        ready = isinstance(values, pa.Array)
        arrays.append(values if ready else pa.array(values, field.type, from_pandas=False))
    return pa.Table.from_arrays(arrays, schema=schema)


def _calls(batch: Sequence[CallAnalysis], run_id: str) -> pa.Table:
    recordings = [a.recording for a in batch]
    columns: dict[str, Any] = {
        name: [getattr(r, name) for r in recordings]
        for name in (
            "call_id", "call_date", "started_at", "started_local", "role_source", "direction",
            "agent_id", "team", "customer_key", "queue", "answered", "wait_ms", "csat",
            "disconnect_by", "transferred_from", "extra", "audio_size_bytes", "audio_modified_at",
        )
    }  # fmt: skip
    columns["recording_uri"] = [r.uris[0] if r.uris else None for r in recordings]
    columns["leg_uris"] = [list(r.uris) if len(r.uris) > 1 else None for r in recordings]
    columns["screens"] = [_screens(a) for a in batch]
    for name in ("audio_sha256", "codec", "sampling_rate_hz", "channels"):
        columns[name] = _optional(batch, attrgetter("facts"), attrgetter(name))
    for name in ("agent_talk_ms", "customer_talk_ms", "overtalk_ms", "overtalk_count"):
        columns[name] = _optional(batch, attrgetter("activity"), attrgetter(name))
    columns["duration_ms"] = [_duration_ms(a) for a in batch]
    silences = [_inner(a) for a in batch]
    columns["non_talk_ms"] = [_total(spans) for spans in silences]
    columns["longest_silence_ms"] = [_longest(spans) for spans in silences]
    columns["hold_ms"] = [_hold(spans) for spans in silences]
    columns["agent_wpm"] = [_wpm(a, "agent") for a in batch]
    columns["customer_wpm"] = [_wpm(a, "customer") for a in batch]
    heard = attrgetter("transcript")
    columns["language"] = [
        a.transcript.language if a.transcript else a.recording.language for a in batch
    ]
    columns["language_probability"] = _optional(batch, heard, attrgetter("language_probability"))
    columns["transcript_source"] = _optional(batch, heard, attrgetter("source"))
    columns["model_id"] = _optional(batch, heard, attrgetter("model_id"))
    columns["status"] = [a.status for a in batch]
    columns["failed_stage"] = _optional(batch, attrgetter("failure"), attrgetter("stage"))
    columns["error"] = _optional(batch, attrgetter("failure"), attrgetter("error"))
    columns["run_id"] = [run_id] * len(batch)
    stages = [a.stage_sha256 for a in batch]
    columns["stage_sha256"] = [
        {"activity": s.activity, "transcript": s.transcript, "phrases": s.phrases} for s in stages
    ]
    return _table(CALLS, columns)


def _optional(
    batch: Sequence[CallAnalysis],
    part: Callable[[CallAnalysis], Any],
    value: Callable[[Any], Any],
) -> list[Any]:
    """A column from a part that a call may not have."""
    return [None if (p := part(a)) is None else value(p) for a in batch]


def _screens(analysis: CallAnalysis) -> list[dict[str, Any]]:
    return [
        {"uri": s.uri, "kind": s.kind, "start_ms": s.start_ms, "end_ms": s.end_ms}
        for s in analysis.recording.screens
    ]


def _duration_ms(analysis: CallAnalysis) -> int | None:
    if analysis.facts is not None:
        return analysis.facts.duration_ms
    return analysis.activity.duration_ms if analysis.activity is not None else None


def _inner(analysis: CallAnalysis) -> list[Silence] | None:
    if analysis.activity is None:
        return None
    return [s for s in analysis.activity.silences if s.position == "inner"]


def _total(spans: list[Silence] | None) -> int | None:
    return None if spans is None else sum(s.duration_ms for s in spans)


def _longest(spans: list[Silence] | None) -> int | None:
    if spans is None:
        return None
    return max((s.duration_ms for s in spans if s.kind == "silence"), default=0)


def _hold(spans: list[Silence] | None) -> int | None:
    """Hold is music, or a silence that was announced; unknown counts as not announced."""
    if spans is None:
        return None
    return sum(s.duration_ms for s in spans if s.kind == "hold_music" or s.announced)


def _wpm(analysis: CallAnalysis, role: Role) -> float | None:
    """Words per minute of own speech; a segment without word times counts its text's words."""
    activity, transcript = analysis.activity, analysis.transcript
    if activity is None or transcript is None:
        return None
    talk_ms = activity.agent_talk_ms if role == "agent" else activity.customer_talk_ms
    if not talk_ms:
        return None
    words = sum(len(s.words) or len(s.text.split()) for s in transcript.segments if s.role == role)
    return words * MS_PER_MINUTE / talk_ms


def _child_columns(
    batch: Sequence[CallAnalysis], parts: Sequence[Sequence[Any]], run_id: str
) -> dict[str, Any]:
    """``call_id``, ``call_date`` and ``run_id`` repeated for every row of a call."""
    ids: list[str] = []
    dates: list[Any] = []
    for analysis, rows in zip(batch, parts, strict=True):
        ids += [analysis.recording.call_id] * len(rows)
        dates += [analysis.recording.call_date] * len(rows)
    return {"call_id": ids, "call_date": dates, "run_id": [run_id] * len(ids)}


def _segments(batch: Sequence[CallAnalysis], run_id: str) -> pa.Table:
    parts = [a.transcript.segments if a.transcript is not None else () for a in batch]
    rows: list[Segment] = list(chain.from_iterable(parts))
    columns = _child_columns(batch, parts, run_id)
    for name in SEGMENTS.names:
        if name not in columns and name != "words":
            columns[name] = list(map(attrgetter(name), rows))
    columns["words"] = _words([s.words for s in rows])
    return _table(SEGMENTS, columns)


def _words(per_segment: Sequence[Sequence[Word]]) -> pa.Array:
    offsets = [0, *accumulate(map(len, per_segment))]
    words = list(chain.from_iterable(per_segment))
    struct = WORDS.value_type
    children = [_values(words, field) for field in struct]
    values = pa.StructArray.from_arrays(children, fields=list(struct))
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values, type=WORDS)


def _values(words: Sequence[Word], field: pa.Field) -> pa.Array:
    """A column of words; numbers without a missing one take half the time through numpy."""
    values = map(attrgetter(field.name), words)
    if field.name == "word":
        return pa.array(list(values), field.type)
    try:
        return pa.array(np.fromiter(values, field.type.to_pandas_dtype(), len(words)))
    except TypeError:  # a missing probability
        return pa.array(list(map(attrgetter(field.name), words)), field.type)


def _silences(batch: Sequence[CallAnalysis], run_id: str) -> pa.Table:
    parts = [a.activity.silences if a.activity is not None else () for a in batch]
    rows = list(chain.from_iterable(parts))
    columns = _child_columns(batch, parts, run_id)
    columns["silence_id"] = list(chain.from_iterable(range(len(part)) for part in parts))
    for name in SILENCES.names:
        if name not in columns:
            columns[name] = list(map(attrgetter(name), rows))
    return _table(SILENCES, columns)


def _hits(batch: Sequence[CallAnalysis], run_id: str) -> pa.Table:
    parts = [a.hits for a in batch]
    rows = list(chain.from_iterable(parts))
    columns = _child_columns(batch, parts, run_id)
    columns["hit_id"] = list(chain.from_iterable(range(len(part)) for part in parts))
    for name in PHRASE_HITS.names:
        if name not in columns:
            columns[name] = list(map(attrgetter(name), rows))
    return _table(PHRASE_HITS, columns)
