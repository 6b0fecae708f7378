"""Records → Arrow tables, column by column (a row at a time would cost several times more)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pyarrow as pa

from speechlytics.records import CallAnalysis, Segment, Silence, StoredWords, Word
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
    said = [_words_said(a) for a in batch]
    for role in ("agent", "customer"):
        talk_ms = columns[f"{role}_talk_ms"]
        columns[f"{role}_wpm"] = [_wpm(*one, role) for one in zip(said, talk_ms, strict=True)]
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
    return None if spans is None else sum([s.end_ms - s.start_ms for s in spans])


def _longest(spans: list[Silence] | None) -> int | None:
    if spans is None:
        return None
    return max([s.end_ms - s.start_ms for s in spans if s.kind == "silence"], default=0)


def _hold(spans: list[Silence] | None) -> int | None:
    """Hold is music, or a silence that was announced; unknown counts as not announced."""
    if spans is None:
        return None
    return sum([s.end_ms - s.start_ms for s in spans if s.kind == "hold_music" or s.announced])


def _words_said(analysis: CallAnalysis) -> dict[str, int] | None:
    """Words by role; a segment without word times counts its text's words."""
    if analysis.transcript is None:
        return None
    said: dict[str, int] = {}
    for segment in analysis.transcript.segments:
        count = len(segment.words) or len(segment.text.split())
        said[segment.role] = said.get(segment.role, 0) + count
    return said


def _wpm(said: dict[str, int] | None, talk_ms: int | None, role: str) -> float | None:
    """Words per minute of own speech."""
    return said.get(role, 0) * MS_PER_MINUTE / talk_ms if said is not None and talk_ms else None


def _child_columns(
    batch: Sequence[CallAnalysis], parts: Sequence[Sequence[Any]], run_id: str
) -> dict[str, pa.Array]:
    """``call_id``, ``call_date`` and ``run_id`` repeated for every row of a call."""
    lengths = np.array([len(part) for part in parts], np.int64)
    call_of = pa.array(np.repeat(np.arange(len(batch)), lengths))
    ids = pa.array([a.recording.call_id for a in batch], pa.string())
    dates = pa.array([a.recording.call_date for a in batch], pa.date32())
    return {
        "call_id": ids.take(call_of),
        "call_date": dates.take(call_of),
        "run_id": pa.repeat(pa.scalar(run_id, pa.string()), len(call_of)),
    }


def _segments(batch: Sequence[CallAnalysis], run_id: str) -> pa.Table:
    parts = [a.transcript.segments if a.transcript is not None else () for a in batch]
    rows: list[Segment] = list(chain.from_iterable(parts))
    # Spelt out: a comprehension takes half the time of ``map(attrgetter(name), rows)``.
    columns: dict[str, Any] = _child_columns(batch, parts, run_id) | {
        "segment_id": [s.segment_id for s in rows],
        "channel": [s.channel for s in rows],
        "role": [s.role for s in rows],
        "start_ms": [s.start_ms for s in rows],
        "end_ms": [s.end_ms for s in rows],
        "text": [s.text for s in rows],
        "language": [s.language for s in rows],
        "avg_logprob": [s.avg_logprob for s in rows],
        "no_speech_prob": [s.no_speech_prob for s in rows],
        "compression_ratio": [s.compression_ratio for s in rows],
        "suspect": [s.suspect for s in rows],
        "words": _words([s.words for s in rows]),
    }
    return _table(SEGMENTS, columns)


def _words(per_segment: Sequence[Sequence[Word]]) -> pa.Array:
    offsets = np.zeros(len(per_segment) + 1, np.int32)
    np.cumsum([len(words) for words in per_segment], out=offsets[1:])
    struct = WORDS.value_type
    columns = _stored_columns(per_segment) or _word_columns(list(chain.from_iterable(per_segment)))
    children = list(map(_values, columns, struct))
    values = pa.StructArray.from_arrays(children, fields=list(struct))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=WORDS)


def _word_columns(words: Sequence[Word]) -> tuple[list[Any], ...]:
    return (
        [w.word for w in words],
        [w.start_ms for w in words],
        [w.end_ms for w in words],
        [w.probability for w in words],
    )


def _stored_columns(per_segment: Sequence[Sequence[Word]]) -> tuple[Sequence[Any], ...] | None:
    """The columns that the words come from; ``None`` if some are records."""
    # not isinstance: asking whether a tuple is some Sequence takes as long as reading two words
    stored = [words for words in per_segment if type(words) is StoredWords]
    if len(stored) < len(per_segment) and sum(map(len, stored)) < sum(map(len, per_segment)):
        return None
    return StoredWords.joined(stored)


def _values(values: Any, field: pa.Field) -> pa.Array:
    """A column of words; numbers without a missing one take half the time through numpy."""
    if field.name == "word" or isinstance(values, np.ndarray):
        return pa.array(values, field.type)
    numbers = np.fromiter(values, field.type.to_pandas_dtype(), len(values))
    # numpy takes a missing probability for "not a number"; no other number is
    missing = field.name == "probability" and bool(np.isnan(numbers).any())
    return pa.array(values if missing else numbers, field.type)


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
