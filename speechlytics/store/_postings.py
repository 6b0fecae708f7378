"""Postings: where each word was said, by stem, so that a search reads almost nothing.

Three kinds of rows share the table, in this order:

- ``key`` is ``#``: the number of a call, ``call_no``, stands for its id. Numbers are unique in a
  day: those of a file follow one another from where a hash of its ids begins. So rows may move
  between the files of a day, whoever rewrites them;
- ``key`` is ``*`` and a word as it was said, and ``stem`` is what it is a form of: through these
  SQL, which cannot stem, finds the stem of a word. There is one per file (a day's vocabulary is
  a tenth of what the calls' vocabularies add up to);
- ``key`` is a stem, and the segment holds a word of it. These are sorted by key, so that
  row-group statistics prune, and hold numbers only: a call's id written a hundred times would
  cost more than all the rest.

Each kind begins a row group of its own, and the marks sort before every stem: a search reads no
rows of another kind.

The rows of a call are found by its number: they are replaced and erased with it. A word's row goes
when no call of the file has its stem any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.schema import POSTINGS
from speechlytics.store._lexicon import Ints
from speechlytics.store._said import (
    Said,
    distinct_below,
    one,
    present_below,
    ranges,
    said_in,
    stem_rows,
)

TABLE = "postings"
CALL_MARK = "#"
ROWS_PER_GROUP = 20_000
"""Small enough that one stem of one day costs little, large enough for a short footer."""
WORDS_PER_GROUP = 4_000
"""Fewer: of words no two are alike, and each has to be read as text."""
NUMBERS = 1 << 62
"""Calls are numbered below it."""

Kinds = tuple[pa.Table, pa.Table, pa.Table]


def with_postings(tables: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables, and the postings of their segments if these are among them."""
    whole = dict(tables)
    if "segments" in whole:
        whole[TABLE] = postings_of(whole["segments"])
    return whole


def postings_of(segments: pa.Table) -> pa.Table:
    """Postings of segments: a row per call, one per word and day, one per stem and segment."""
    if segments.num_rows == 0:
        return POSTINGS.empty_table()
    said = said_in(segments)
    calls = one(segments.column("call_id")).dictionary_encode()
    numbers = _numbers(calls.dictionary)
    call_of = calls.indices.to_numpy()
    return pa.concat_tables(
        [
            _calls(calls.dictionary, numbers, segments.column("call_date"), call_of),
            _vocabulary(said, segments.column("call_date")),
            _places(said, segments, numbers[call_of]),
        ]
    )


def in_order(parts: list[pa.Table]) -> list[pa.Table]:
    """What one file of a day holds, by key: calls numbered anew, each word once, places.

    What comes apart is not to share a row group with the rest.
    """
    kinds = [_kinds(part) for part in parts]
    calls, words, places = kinds[0] if len(kinds) == 1 else _merged(kinds)
    slices = [words.slice(n, WORDS_PER_GROUP) for n in range(0, len(words), WORDS_PER_GROUP)]
    return [calls, *slices, places]


def without_calls(rows: pa.Table, call_ids: pa.Array) -> pa.Table:
    """The rows of a file without those of calls, nor of words that only these said."""
    named = rows.filter(pc.is_in(rows.column("call_id"), value_set=call_ids))
    if not len(named):
        return rows
    gone = pc.is_in(rows.column("call_no"), value_set=one(named.column("call_no")))
    kept = rows.filter(pc.invert(gone))
    _, _, places = _kinds(kept)
    stems = pc.unique(places.column("key"))
    of_word = pc.is_valid(kept.column("stem"))
    here = pc.is_in(kept.column("stem"), value_set=stems)
    # numbered anew: not even a hash of what went stays
    return pa.concat_tables(_merged([_kinds(kept.filter(pc.or_(pc.invert(of_word), here)))]))


def _calls(ids: pa.Array, numbers: Ints, dates: pa.ChunkedArray, call_of: Ints) -> pa.Table:
    """One row per call; ids are in the order in which they come first."""
    first = np.flatnonzero(np.diff(np.maximum.accumulate(call_of), prepend=-1))
    return _table(
        key=pa.repeat(pa.scalar(CALL_MARK), len(ids)),
        call_date=one(dates).take(pa.array(first)),
        call_no=pa.array(numbers),
        call_id=ids,
    )


def _places(said: Said, segments: pa.Table, number_of: Ints) -> pa.Table:
    """One row per stem and segment; ``number_of`` is the call's number of each segment."""
    codes, stems = stem_rows(said, segments.num_rows)
    stem_of = codes // segments.num_rows
    row_of = codes - stem_of * segments.num_rows
    return _table(
        key=stems.take(pa.array(stem_of)),
        call_date=_dates(segments.column("call_date"), row_of),
        call_no=pa.array(number_of[row_of]),
        segment_id=one(segments.column("segment_id")).take(pa.array(row_of)),
    )


def _vocabulary(said: Said, dates: pa.ChunkedArray) -> pa.Table:
    """One row per word, stem and day."""
    days = one(dates).dictionary_encode()
    forms = len(said.forms.words)
    if len(days.dictionary) == 1:
        codes = present_below(said.members(), forms)
    else:
        day_of = days.indices.to_numpy().astype(np.int64)[said.row_of]
        pairs, _ = distinct_below(
            day_of * len(said.chunks) + said.chunk_of, len(days.dictionary) * len(said.chunks)
        )
        day, chunk = np.divmod(pairs, max(1, len(said.chunks)))
        members = np.repeat(day * forms, said.lengths()[chunk]) + said.members(chunk)
        codes = np.unique(members)
    day, spoken = np.divmod(codes, max(1, forms))
    stem_of = said.forms.stem_of[spoken].tolist()
    rows = _table(
        key=pa.array([said.forms.words[n] for n in spoken.tolist()], pa.string()),
        call_date=days.dictionary.take(pa.array(day)),
        stem=pa.array([said.forms.stems[n] for n in stem_of], pa.string()),
    )
    return rows.take(pc.sort_indices(one(rows.column("key"))))


def _merged(kinds: list[Kinds]) -> Kinds:
    """Calls, words and places of several files as one has them."""
    calls = pa.concat_tables(own for own, _, _ in kinds)
    ids = one(calls.column("call_id"))
    numbers = _numbers(ids)
    bounds = np.cumsum([0, *(len(own) for own, _, _ in kinds)])
    renumbered = [
        _translated(_ints(places, "call_no"), _ints(own, "call_no"), numbers[low:high])
        for (own, _, places), low, high in zip(kinds, bounds, bounds[1:], strict=False)
    ]
    called = _table(
        key=calls.column("key"),
        call_date=calls.column("call_date"),
        call_no=pa.array(numbers),
        call_id=ids,
    )
    words = _each_once(pa.concat_tables(words for _, words, _ in kinds))
    places = pa.concat_tables(places for _, _, places in kinds)
    return called, words, _by_key(places, np.concatenate(renumbered))


def _kinds(rows: pa.Table) -> Kinds:
    """Rows of calls, of words and of places; another tool may have mixed them."""
    ids, stems = rows.column("call_id"), rows.column("stem")
    calls = len(rows) - ids.null_count
    heads = calls + len(rows) - stems.null_count
    if not (ids.slice(0, calls).null_count or stems.slice(calls, heads - calls).null_count):
        return rows.slice(0, calls), rows.slice(calls, heads - calls), rows.slice(heads)
    of_call, of_word = pc.is_valid(ids), pc.is_valid(stems)
    of_place = pc.invert(pc.or_(of_call, of_word))
    return rows.filter(of_call), rows.filter(of_word), rows.filter(of_place)


def _each_once(words: pa.Table) -> pa.Table:
    rows = words.sort_by([("key", "ascending"), ("stem", "ascending")])
    if len(rows) < 2:
        return rows
    again = pc.and_(_like_the_last(rows.column("key")), _like_the_last(rows.column("stem")))
    return rows.filter(pc.invert(again))


def _by_key(places: pa.Table, numbers: Ints) -> pa.Table:
    """Places with other numbers of calls, by key; of a key in the order in which they are given.

    Files are sorted by key, so that whole stretches of one key move.
    """
    if not len(places):
        return places
    stretches = pc.run_end_encode(one(places.column("key")))
    ends = stretches.run_ends.to_numpy().astype(np.int64)
    lengths = np.diff(ends, prepend=0)
    order = pc.sort_indices(stretches.values).to_numpy().astype(np.int64)
    moved = ranges((ends - lengths)[order], lengths[order])
    return _table(
        key=stretches.values.take(pa.array(np.repeat(order, lengths[order]))),
        call_date=places.column("call_date"),
        call_no=pa.array(numbers[moved]),
        segment_id=one(places.column("segment_id")).take(pa.array(moved)),
    )


def _translated(values: Ints, known: Ints, into: Ints) -> Ints:
    """Values that are among ``known``, as what stands at their place in ``into``."""
    order = np.argsort(known)
    return into[order[np.searchsorted(known[order], values)]]


def _numbers(ids: pa.Array) -> Ints:
    """A number for each call, from where a hash of all their ids begins."""
    whole = hashlib.blake2b("\0".join(ids.to_pylist()).encode(), digest_size=8).digest()
    return int.from_bytes(whole) % NUMBERS + np.arange(len(ids))


def _table(**columns: pa.Array | pa.ChunkedArray) -> pa.Table:
    """A table of postings; columns left out are NULL."""
    count = len(columns["key"])
    arrays = [
        columns[field.name] if field.name in columns else pa.nulls(count, field.type)
        for field in POSTINGS
    ]
    return pa.Table.from_arrays(arrays, schema=POSTINGS)


def _dates(dates: pa.ChunkedArray, rows: Ints) -> pa.Array:
    """Dates of rows; those of one day need not be looked up."""
    bounds = pc.min_max(dates)
    if bounds["min"] == bounds["max"]:
        return pa.repeat(bounds["min"], len(rows))
    return one(dates).take(pa.array(rows))


def _like_the_last(column: pa.ChunkedArray) -> pa.Array:
    """Whether each value equals the one before it; the first does not."""
    values = one(column)
    same = pc.equal(values.slice(1), values.slice(0, len(values) - 1))
    return pa.concat_arrays([pa.array([False]), one(same)])


def _ints(rows: pa.Table, name: str) -> Ints:
    values: Ints = one(rows.column(name)).to_numpy()
    return values
