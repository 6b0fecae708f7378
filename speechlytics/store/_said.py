"""What was said in segments: chunks of text, and where each occurs; as numbers throughout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.store._lexicon import Forms, Ints, Lexicon

_SPACE = 32
_LEXICON = Lexicon()


@dataclass(frozen=True, slots=True)
class Said:
    """What was said: distinct chunks of text and where each occurs.

    Attributes:
        forms: The forms that chunks hold.
        chunks: Number there of each distinct chunk (of one language).
        chunk_of: Which of ``chunks`` each occurrence is.
        row_of: Row of ``segments`` of each occurrence, ascending.
    """

    forms: Forms
    chunks: Ints
    chunk_of: Ints
    row_of: Ints

    def lengths(self) -> Ints:
        """Number of forms of each of ``chunks``."""
        return self.forms.starts[self.chunks + 1] - self.forms.starts[self.chunks]

    def members(self, chosen: Ints | slice = slice(None)) -> Ints:
        """Forms of the chosen of ``chunks``, one after another."""
        lengths = self.lengths()[chosen]
        return self.forms.members[ranges(self.forms.starts[self.chunks][chosen], lengths)]


def said_in(segments: pa.Table) -> Said:
    """Splits texts at spaces; everything about a chunk is worked out once."""
    chunks, row_of = _chunks(one(pc.fill_null(segments.column("text"), "")))
    distinct = chunks.dictionary_encode()
    texts, chunk_of = distinct.dictionary.to_pylist(), distinct.indices.to_numpy()
    tongues = one(segments.column("language")).dictionary_encode("encode")
    languages = tongues.dictionary.to_pylist()
    if len(languages) == 1:
        (numbers,), forms = _LEXICON.read([(languages[0], texts)])
        return Said(forms, numbers, chunk_of, row_of)
    spoken = tongues.indices.to_numpy()[row_of].astype(np.int64)
    pairs, pair_of = distinct_below(spoken * len(texts) + chunk_of, len(texts) * len(languages))
    tongue_of, text_of = np.divmod(pairs, max(1, len(texts)))
    wanted = [
        (language, [texts[i] for i in text_of[tongue_of == number].tolist()])
        for number, language in enumerate(languages)
    ]
    numbers_of, forms = _LEXICON.read(wanted)
    return Said(forms, np.concatenate(numbers_of), pair_of, row_of)


def _chunks(texts: pa.StringArray) -> tuple[pa.StringArray, Ints]:
    """Texts split behind each space, without copying them, and which text each chunk is of."""
    _, offsets_buffer, data = texts.buffers()
    offsets = np.frombuffer(offsets_buffer, np.int32)[texts.offset :][: len(texts) + 1]
    low, high = int(offsets[0]), int(offsets[-1])
    begins = np.zeros(high - low + 1, np.bool_)
    begins[1:] = np.frombuffer(data, np.uint8, high - low, low) == _SPACE if high > low else False
    begins[offsets - low] = True
    starts = (np.flatnonzero(begins[:-1]) + low).astype(np.int32)
    counts = np.diff(np.searchsorted(starts, offsets))
    ends = pa.py_buffer(np.append(starts, np.int32(high)))
    chunks = pa.StringArray.from_buffers(len(starts), ends, data)
    return chunks, np.repeat(np.arange(len(texts)), counts)


def stem_rows(said: Said, rows: int) -> tuple[Ints, pa.StringArray]:
    """Stem × ``rows`` + row of each stem of each row, ascending, and the stems in order."""
    forms, lengths = said.forms, said.lengths()
    present = present_below(forms.stem_of[said.members()], len(forms.stems))
    texts = [forms.stems[stem] for stem in present.tolist()]
    order = sorted(range(len(texts)), key=texts.__getitem__)
    whole = np.int32 if len(texts) * rows < 1 << 31 else np.int64
    row_of: Ints = said.row_of.astype(whole)
    rank = np.zeros(len(forms.stems), whole)
    rank[present[order]] = np.arange(len(order), dtype=whole) * rows
    # nearly every chunk is one word of one stem: the first stems of all, then the second of some
    parts = [np.zeros(0, whole)]
    chunk_of = said.chunk_of
    for nth in range(int(lengths.max(initial=0))):
        has = lengths > nth
        here = has[chunk_of]
        if not here.all():
            chunk_of, row_of = chunk_of[here], row_of[here]
        code: Ints = np.zeros(len(lengths), whole)
        code[has] = rank[forms.stem_of[forms.members[forms.starts[said.chunks[has]] + nth]]]
        parts.append(code[chunk_of] + row_of)
    codes = np.sort(np.concatenate(parts))
    once = codes[np.diff(codes, prepend=-1) != 0]
    return once, pa.array([texts[place] for place in order], pa.string())


def ranges(starts: Ints, lengths: Ints) -> Ints:
    """All whole numbers from each start, so many as the length says."""
    before = np.cumsum(lengths) - lengths
    whole: Ints = np.arange(int(lengths.sum())) + np.repeat(starts - before, lengths)
    return whole


def present_below(codes: Ints, limit: int) -> Ints:
    """Distinct codes below ``limit``, ascending."""
    marks = np.zeros(limit, np.bool_)
    marks[codes] = True
    return np.flatnonzero(marks)


def distinct_below(codes: Ints, limit: int) -> tuple[Ints, Ints]:
    """Distinct codes below ``limit``, ascending, and which of them each one is."""
    present = present_below(codes, limit)
    place = np.zeros(limit, np.int64)
    place[present] = np.arange(len(present))
    return present, place[codes]


def one(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
