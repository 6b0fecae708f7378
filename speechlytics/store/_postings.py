"""Postings: where each word was said, by stem, so that a search reads almost nothing.

Rows are sorted by key, so that row-group statistics prune. Two kinds of rows share the table:

- ``key`` is a stem, and the segment holds a word of it;
- ``key`` is ``=`` and a word as it was said, and ``stem`` is what it is a form of: through these
  SQL, which cannot stem, finds the stem of a word. There is one per file (a day's vocabulary is
  a tenth of what the calls' vocabularies add up to); it names no call (``call_id`` is empty).

The rows of a stem carry their call's id: they are replaced and erased with it. A word's row goes
when no call of the file has its stem any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from speechlytics.phrases import word_stems
from speechlytics.schema import POSTINGS

TABLE = "postings"
WORD_MARK = "="
ROWS_PER_GROUP = 20_000
"""Small enough that one stem of one day costs a few groups, large enough for a short footer."""

T = TypeVar("T")
Ints = NDArray[np.int64]
Forms = tuple[tuple[str, ...], tuple[tuple[str, str], ...]]
"""Stems of a chunk of text, and its words in normal spelling, each with a stem."""


def with_postings(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, and the postings of their segments if these are among them."""
    whole = dict(tables)
    if "segments" in whole:
        whole[TABLE] = postings_of(whole["segments"])
    return whole


def postings_of(segments: pa.Table) -> pa.Table:
    """Postings of segments: one row per stem and segment, one per word and day, by key."""
    if segments.num_rows == 0:
        return POSTINGS.empty_table()
    said = _said(segments)
    return pa.concat_tables([_vocabulary(said, segments), _places(said, segments)])


def in_order(parts: list[pa.Table]) -> pa.Table:
    """Rows of a day by key, each word once; a table alone is in order already."""
    if len(parts) == 1:
        return parts[0]
    rows = pa.concat_tables(parts)
    of_word = pc.is_valid(rows.column("stem"))
    words = rows.filter(of_word).sort_by([("key", "ascending"), ("stem", "ascending")])
    keys, stems = words.column("key"), words.column("stem")
    if len(words) > 1:
        again = pc.and_(_like_the_last(keys), _like_the_last(stems))
        words = words.filter(pc.invert(again))
    places = rows.filter(pc.invert(of_word))
    codes, _ = _ranked(places.column("key"))
    return pa.concat_tables([words, places.take(pa.array(np.argsort(codes, kind="stable")))])


def without_calls(rows: pa.Table, call_ids: pa.Array) -> pa.Table:
    """The rows of a file without those of calls, nor of words that only these said."""
    kept = rows.filter(pc.invert(pc.is_in(rows.column("call_id"), value_set=call_ids)))
    stems = pc.unique(kept.filter(pc.is_null(kept.column("stem"))).column("key"))
    here = pc.is_in(kept.column("stem"), value_set=stems)
    return kept.filter(pc.or_(pc.is_null(kept.column("stem")), here))


@dataclass(frozen=True, slots=True)
class _Said:
    """What was said: distinct chunks of text and where each occurs.

    Attributes:
        forms: Stems and words of each distinct chunk (of one language).
        form_of: Which of them each occurrence is.
        row_of: Row of ``segments`` of each occurrence, ascending.
    """

    forms: list[Forms]
    form_of: Ints
    row_of: Ints


def _said(segments: pa.Table) -> _Said:
    """Splits texts at spaces; everything about a chunk is worked out once."""
    chunks = _one(pc.utf8_split_whitespace(_one(pc.fill_null(segments.column("text"), ""))))
    row_of = pc.list_parent_indices(chunks).to_numpy().astype(np.int64)
    distinct = chunks.flatten().dictionary_encode()
    tongues = _one(segments.column("language")).dictionary_encode("encode")
    texts, languages = distinct.dictionary.to_pylist(), tongues.dictionary.to_pylist()
    spoken = tongues.indices.to_numpy()[row_of].astype(np.int64)
    pairs, form_of = _distinct(
        spoken * len(texts) + distinct.indices.to_numpy(), len(texts) * len(languages)
    )
    forms = [
        _forms(texts[pair % len(texts)], languages[pair // len(texts)]) for pair in pairs.tolist()
    ]
    return _Said(forms, form_of, row_of)


@lru_cache(maxsize=400_000)
def _forms(chunk: str, language: str | None) -> Forms:
    stems: dict[str, None] = {}
    words: dict[tuple[str, str], None] = {}
    for word, keys in word_stems(chunk, language):
        for stem in sorted(keys):
            stems[stem] = None
            words[f"{WORD_MARK}{word}", stem] = None
    return tuple(stems), tuple(words)


def _places(said: _Said, segments: pa.Table) -> pa.Table:
    """One row per stem and segment."""
    flat, lengths = _flat([stems for stems, _ in said.forms])
    rank, stems = _ranked(pa.array(flat, pa.string()))
    stem_of = rank[_members(lengths, said.form_of)]
    row_of = np.repeat(said.row_of, lengths[said.form_of])
    codes = np.sort(stem_of * segments.num_rows + row_of)
    codes = codes[np.diff(codes, prepend=-1) != 0]
    keys = stems.take(pa.array(codes // segments.num_rows))
    rows = pa.array(codes % segments.num_rows)
    columns = {"key": keys, "stem": pa.nulls(len(keys), pa.string())}
    for name in POSTINGS.names:
        if name not in columns:
            columns[name] = _one(segments.column(name)).take(rows)
    return pa.Table.from_arrays([columns[n] for n in POSTINGS.names], schema=POSTINGS)


def _vocabulary(said: _Said, segments: pa.Table) -> pa.Table:
    """One row per word, stem and day."""
    days = _one(segments.column("call_date")).dictionary_encode()
    day_of = days.indices.to_numpy().astype(np.int64)[said.row_of]
    spoken, _ = _distinct(
        day_of * len(said.forms) + said.form_of, len(days.dictionary) * len(said.forms)
    )
    day, form = np.divmod(spoken, len(said.forms))
    flat, lengths = _flat([words for _, words in said.forms])
    occurs = pa.array(_members(lengths, form))
    entries = pa.table(
        {
            "key": pa.array([key for key, _ in flat], pa.string()).take(occurs),
            "stem": pa.array([stem for _, stem in flat], pa.string()).take(occurs),
            "call_date": days.dictionary.take(pa.array(np.repeat(day, lengths[form]))),
        }
    )
    by = ["key", "stem", "call_date"]
    entries = entries.group_by(by).aggregate([]).sort_by([(name, "ascending") for name in by])
    count = entries.num_rows
    columns = {name: pa.nulls(count, POSTINGS.field(name).type) for name in POSTINGS.names}
    columns |= {name: entries.column(name) for name in by}
    columns |= {
        "call_id": pa.repeat(pa.scalar(""), count),
        "run_id": pa.repeat(segments.column("run_id")[0], count),
    }
    return pa.Table.from_arrays([columns[n] for n in POSTINGS.names], schema=POSTINGS)


def _flat(lists: Sequence[Sequence[T]]) -> tuple[list[T], Ints]:
    """Lists as one, and their lengths."""
    return [value for one in lists for value in one], np.array([len(x) for x in lists], np.int64)


def _members(lengths: Ints, chosen: Ints) -> Ints:
    """Places, in the flat list, of all members of the chosen lists."""
    counts = lengths[chosen]
    starts = np.repeat((np.cumsum(lengths) - lengths)[chosen], counts)
    inside: Ints = np.arange(len(starts)) - np.repeat(np.cumsum(counts) - counts, counts)
    return starts + inside


def _distinct(codes: Ints, limit: int) -> tuple[Ints, Ints]:
    """Distinct codes below ``limit``, ascending, and which of them each one is."""
    present = np.zeros(limit, np.bool_)
    present[codes] = True
    place = np.cumsum(present) - 1
    return np.flatnonzero(present), place[codes]


def _ranked(texts: pa.Array | pa.ChunkedArray) -> tuple[Ints, pa.Array]:
    """Rank of each text among the distinct ones, and these in order."""
    encoded = _one(_one(texts).dictionary_encode())
    order = pc.sort_indices(encoded.dictionary)
    rank = np.empty(len(order), np.int64)
    rank[order.to_numpy()] = np.arange(len(order))
    return rank[encoded.indices.to_numpy()], encoded.dictionary.take(order)


def _like_the_last(column: pa.ChunkedArray) -> pa.Array:
    """Whether each value equals the one before it; the first does not."""
    values = _one(column)
    same = pc.equal(values.slice(1), values.slice(0, len(values) - 1))
    return pa.concat_arrays([pa.array([False]), _one(same)])


def _one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
