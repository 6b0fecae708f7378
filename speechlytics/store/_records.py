"""Arrow tables → records, for stages that run again over what is stored (``rescore``)."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa

from speechlytics.records import Segment, Silence, Word


def segments_of(rows: pa.Table) -> dict[str, tuple[Segment, ...]]:
    """Segments per call, in order of ``segment_id``; needs all columns of ``segments``."""
    words = _words(rows.column("words").combine_chunks())
    names = (
        "segment_id",
        "channel",
        "role",
        "start_ms",
        "end_ms",
        "text",
        "language",
        "avg_logprob",
        "no_speech_prob",
        "compression_ratio",
        "suspect",
    )  # fmt: skip; the order of the record's fields, words come last
    calls: dict[str, list[Segment]] = defaultdict(list)
    columns = [rows.column(name).to_pylist() for name in names]
    for call_id, own, *values in zip(_ids(rows), words, *columns, strict=True):
        record: list[Any] = [*values, own]
        calls[call_id].append(Segment(*record))
    return {i: tuple(sorted(s, key=lambda x: x.segment_id)) for i, s in calls.items()}


def silences_of(rows: pa.Table) -> dict[str, tuple[Silence, ...]]:
    """Silences per call, in order of ``silence_id``; needs all columns of ``silences``."""
    names = (
        "start_ms", "end_ms", "kind", "position", "before_role", "after_role",
        "announced", "after_question", "thanked",
    )  # fmt: skip
    calls: dict[str, list[tuple[int, Silence]]] = defaultdict(list)
    columns = [rows.column(name).to_pylist() for name in names]
    ordinals = rows.column("silence_id").to_pylist()
    for call_id, ordinal, *values in zip(_ids(rows), ordinals, *columns, strict=True):
        calls[call_id].append((ordinal, Silence(*values)))
    return {i: tuple(s for _, s in sorted(x, key=lambda y: y[0])) for i, x in calls.items()}


def _ids(rows: pa.Table) -> list[Any]:
    return list(rows.column("call_id").to_pylist())


def _words(column: Any) -> list[tuple[Word, ...]]:
    if isinstance(column, pa.ChunkedArray):
        column = pa.concat_arrays(column.chunks) if column.num_chunks else column.combine_chunks()
    values = column.flatten()
    words = list(map(Word, *(_plain(values.field(f.name)) for f in values.type)))
    lengths = [n or 0 for n in column.value_lengths().to_pylist()]
    result: list[tuple[Word, ...]] = []
    at = 0
    for length in lengths:
        result.append(tuple(words[at : at + length]))
        at += length
    return result


def _plain(column: pa.Array) -> list[Any]:
    """Python values of a column; numbers without NULLs by NumPy, five times as fast."""
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if numeric and column.null_count == 0:
        return list(column.to_numpy().tolist())
    return list(column.to_pylist())
