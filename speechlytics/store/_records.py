"""Arrow tables → records, for stages that run again over what is stored (``rescore``)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.records import Segment, Silence, StoredWords, Word

_SEGMENT = (
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
)  # the order of the record's fields, words come last


def segments_of(rows: pa.Table) -> dict[str, tuple[Segment, ...]]:
    """Segments per call, in order of ``segment_id``, with the columns that ``rows`` has.

    Args:
        rows: Rows of ``segments``; what may be NULL may be left out.
    """
    if not rows.num_rows:
        return {}
    columns = [
        _values(rows.column(name)) if name in rows.column_names else repeat(None)
        for name in _SEGMENT
    ]
    records = list(map(Segment, *columns, _words(rows.column("words"))))
    ids = rows.column("call_id").combine_chunks().dictionary_encode()
    call_of = ids.indices.to_numpy()
    order = np.lexsort((rows.column("segment_id").to_numpy(), call_of))
    ends = np.cumsum(np.bincount(call_of, minlength=len(ids.dictionary))).tolist()
    if not np.array_equal(order, np.arange(len(order))):
        records = [records[at] for at in order.tolist()]
    return {
        call_id: tuple(records[first:end])
        for call_id, first, end in zip(
            ids.dictionary.to_pylist(), [0, *ends[:-1]], ends, strict=True
        )
    }


def silences_of(rows: pa.Table) -> dict[str, tuple[Silence, ...]]:
    """Silences per call, in order of ``silence_id``; needs all columns of ``silences``."""
    names = (
        "start_ms", "end_ms", "kind", "position", "before_role", "after_role",
        "announced", "after_question", "thanked",
    )  # fmt: skip
    calls: dict[str, list[tuple[int, Silence]]] = defaultdict(list)
    columns = [_values(rows.column(name)) for name in names]
    ordinals = _values(rows.column("silence_id"))
    for call_id, ordinal, *values in zip(_ids(rows), ordinals, *columns, strict=True):
        calls[call_id].append((ordinal, Silence(*values)))
    return {i: tuple(s for _, s in sorted(x, key=lambda y: y[0])) for i, x in calls.items()}


def _ids(rows: pa.Table) -> list[Any]:
    return _values(rows.column("call_id"))


def _words(column: pa.ChunkedArray) -> list[Sequence[Word]]:
    lists = column.combine_chunks()
    if isinstance(lists, pa.ChunkedArray):
        lists = pa.concat_arrays(lists.chunks)
    values = lists.flatten()
    texts = _values(values.field("word"))
    columns = tuple(_numbers(values.field(name)) for name in ("start_ms", "end_ms", "probability"))
    lengths = pc.fill_null(lists.value_lengths(), 0).to_numpy(zero_copy_only=False)
    ends = np.cumsum(lengths).tolist()
    return [
        StoredWords(texts[first:end], columns, first) if end > first else ()
        for first, end in zip([0, *ends[:-1]], ends, strict=True)
    ]


def _numbers(column: pa.Array) -> Any:
    return column.to_numpy(zero_copy_only=False) if column.null_count == 0 else column.to_pylist()


def _values(column: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Python values of a column, several times as fast as Arrow makes them one by one."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_string(column.type):
        encoded = column.dictionary_encode("encode")
        distinct = np.array(encoded.dictionary.to_pylist(), dtype=object)
        return list(distinct[encoded.indices.to_numpy()].tolist())
    if column.null_count == 0:
        return list(column.to_numpy(zero_copy_only=False).tolist())
    return list(column.to_pylist())
