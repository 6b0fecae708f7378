"""Postings: where each word was said, by stem, so that a search reads almost nothing.

Rows are sorted by key, so that row-group statistics prune. Two kinds of rows share the table:

- ``key`` is a stem, and the segment holds a word of it;
- ``key`` is ``=`` and a word as it was said, and ``stem`` is what it is a form of: through these
  (one per word and call) SQL, which cannot stem, finds the stem of a word.

All of a call's rows carry its id: they are replaced and erased with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speechlytics.phrases import word_stems
from speechlytics.schema import POSTINGS

TABLE = "postings"
WORD_MARK = "="
ROWS_PER_GROUP = 50_000
"""Small enough that one stem of one day costs a few groups, large enough for a short footer."""

Entry = tuple[str, str | None]
"""Key and, of a word as it was said, its stem."""


def with_postings(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, and the postings of their segments if these are among them."""
    whole = dict(tables)
    if "segments" in whole:
        whole[TABLE] = postings_of(whole["segments"])
    return whole


def postings_of(segments: pa.Table) -> pa.Table:
    """Postings of segments: one row per stem and segment, one per word and call, in order."""
    if segments.num_rows == 0:
        return POSTINGS.empty_table()
    entries, entry_of, row_of = _occurrences(segments)
    of_word = np.array([stem is not None for _, stem in entries], np.bool_)
    row_of = np.where(of_word[entry_of], _first_rows(segments)[row_of], row_of)
    order = np.argsort(np.array([_sort_text(entry) for entry in entries], object), kind="stable")
    rank = np.empty(len(entries), np.int64)
    rank[order] = np.arange(len(entries))
    codes = np.unique(rank[entry_of] * segments.num_rows + row_of)
    entry_of, row_of = order[codes // segments.num_rows], codes % segments.num_rows
    keys = pa.array([key for key, _ in entries], pa.string())
    stems = pa.array([stem for _, stem in entries], pa.string())
    said = segments.select(["call_id", "call_date", "segment_id", "start_ms", "role", "run_id"])
    said = said.combine_chunks().take(pa.array(row_of))
    columns = {name: said.column(name) for name in said.column_names}
    columns |= {"key": keys.take(pa.array(entry_of)), "stem": stems.take(pa.array(entry_of))}
    whole_call = pa.array(of_word[entry_of])
    for name in ("segment_id", "start_ms", "role"):
        nothing = pa.scalar(None, POSTINGS.field(name).type)
        columns[name] = pc.if_else(whole_call, nothing, columns[name])
    return pa.Table.from_arrays([columns[n] for n in POSTINGS.names], schema=POSTINGS)


def in_order(rows: pa.Table) -> pa.Table:
    """Rows in file order; several times faster than sorting by three text columns."""
    key, call = _ranks(rows.column("key")), _ranks(rows.column("call_id"))
    segment = pc.fill_null(rows.column("segment_id"), -1).to_numpy()
    code = key * (int(call.max(initial=0)) + 1) + call
    order = np.lexsort((segment, code))
    if bool((order[1:] > order[:-1]).all()):
        return rows
    return rows.take(pa.array(order))


def _ranks(column: pa.ChunkedArray) -> NDArray[np.int64]:
    """Position of each value among the sorted distinct ones."""
    encoded = column.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ranks: NDArray[np.int64] = rank[encoded.indices.to_numpy()]
    return ranks


def _occurrences(
    segments: pa.Table,
) -> tuple[list[Entry], NDArray[np.int64], NDArray[np.int64]]:
    """Distinct entries; entry and row of each of their occurrences.

    Everything about a chunk of text is worked out once; per occurrence there is only arithmetic
    over arrays.
    """
    texts = pc.fill_null(segments.column("text"), "").combine_chunks()
    chunks = pc.utf8_split_whitespace(texts)
    if isinstance(chunks, pa.ChunkedArray):
        chunks = chunks.combine_chunks()
    parents = pc.list_parent_indices(chunks).to_numpy().astype(np.int64)
    distinct = chunks.flatten().dictionary_encode()
    tongues = segments.column("language").combine_chunks().dictionary_encode("encode")
    if isinstance(tongues, pa.ChunkedArray):
        tongues = tongues.combine_chunks()
    spoken = tongues.indices.to_numpy().astype(np.int64)[parents]
    code = spoken * len(distinct.dictionary) + distinct.indices.to_numpy()
    pairs, pair_of = np.unique(code, return_inverse=True)
    words, languages = distinct.dictionary.to_pylist(), tongues.dictionary.to_pylist()
    ids: dict[Entry, int] = {}
    lists: list[list[int]] = []
    for pair in pairs.tolist():
        tongue, word = divmod(pair, len(words))
        found = _entries(words[word], languages[tongue])
        lists.append([ids.setdefault(entry, len(ids)) for entry in found])
    lengths = np.array([len(one) for one in lists], np.int64)
    flat = np.array([entry for one in lists for entry in one], np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)[:-1]])
    counts = lengths[pair_of] if len(pairs) else np.zeros(0, np.int64)
    ends = np.cumsum(counts)
    inside = np.arange(int(counts.sum())) - np.repeat(ends - counts, counts)
    entry_of = flat[np.repeat(starts[pair_of], counts) + inside] if len(flat) else flat
    return list(ids), entry_of, np.repeat(parents, counts)


@lru_cache(maxsize=200_000)
def _entries(chunk: str, language: str | None) -> tuple[Entry, ...]:
    found: dict[Entry, None] = {}
    for word, stems in word_stems(chunk, language):
        for stem in sorted(stems):
            found[stem, None] = None
            found[f"{WORD_MARK}{word}", stem] = None
    return tuple(found)


def _first_rows(segments: pa.Table) -> NDArray[np.int64]:
    """Per row the first row of the same call."""
    encoded = segments.column("call_id").combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    codes = encoded.indices.to_numpy()
    _, first = np.unique(codes, return_index=True)
    rows: NDArray[np.int64] = first[codes].astype(np.int64)
    return rows


def _sort_text(entry: Entry) -> str:
    return entry[0] if entry[1] is None else f"{entry[0]}\0{entry[1]}"
