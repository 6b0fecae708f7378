"""Segments of a call → one stream of tokens per role.

A role's words run on from segment to segment, over the other side's short backchannel («угу»,
"right") as well; a longer answer or a long pause ends the run.

Most tokens are never asked about, so a stream keeps its words and, sparsely, where something
changes: the first tokens of segments and sentences, and the tokens after punctuation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any

from speechlytics.phrases._heard import HeardChunk, Token
from speechlytics.phrases._text import SENTENCE
from speechlytics.phrases._vocabulary import Vocabulary
from speechlytics.records import Role, Segment, StoredWords


@dataclass(frozen=True, slots=True)
class _Heard:
    """Chunks of a call, and the token of each that has just one."""

    chunks: list[HeardChunk]
    only: list[Token | None]


@dataclass(slots=True)
class Stream:
    """What one role said, token by token.

    ``broken`` holds the tokens before which there is punctuation or a new sentence;
    ``sentence_starts`` the first tokens of all sentences but the first, ascending; ``asking``
    the sentences that end with a question mark; ``masks`` the bits of the slots that the words of
    each sentence fill, ``mask`` those of all; ``notable`` the tokens that may fill a slot,
    ascending, and ``joined`` those that make a word with the next one, which the recogniser split.
    Turns are numbered within the call (one turn: consecutive segments of one role), runs are
    stretches over which the role's words run on.
    """

    role: Role
    vocabulary: Vocabulary
    tokens: list[Token] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    sentence_starts: list[int] = field(default_factory=list)
    asking: set[int] = field(default_factory=set)
    masks: list[int] = field(default_factory=list)
    mask: int = 0
    notable: list[int] = field(default_factory=list)
    joined: set[int] = field(default_factory=set)
    found: dict[int, tuple[Any, ...]] = field(default_factory=dict)  # matches by id of the phrase
    run: int = 0
    last_end_ms: int = 0
    said_until: int = 0  # tokens of the call, of all roles, up to its last one
    _firsts: list[int] = field(default_factory=list)  # first token of each segment
    _indices: list[tuple[int, int, int]] = field(default_factory=list)  # its index, turn, run
    _chunks: dict[int, tuple[int, ...]] = field(default_factory=dict)  # chunk of each token

    def sentence(self, at: int) -> int:
        """Number of the sentence of a token, from 0."""
        return bisect_right(self.sentence_starts, at)

    def sentence_bounds(self, at: int) -> tuple[int, int]:
        """First token of the sentence of ``at``, and first token after it."""
        starts = self.sentence_starts
        number = bisect_right(starts, at)
        return (
            starts[number - 1] if number else 0,
            starts[number] if number < len(starts) else len(self.tokens),
        )

    def segment(self, at: int) -> int:
        """Index of the segment of a token."""
        return self._indices[self._ordinal(at)][0]

    def turn(self, at: int) -> int:
        """Number of the turn of a token."""
        return self._indices[self._ordinal(at)][1]

    def run_of(self, at: int) -> int:
        """Number of the run of a token."""
        return self._indices[self._ordinal(at)][2]

    def said(self, first: int, end: int) -> int:
        """Slots that the sentences with tokens of ``first``…``end - 1`` fill, as bits."""
        begin = bisect_right(self.sentence_starts, first)
        after = bisect_left(self.sentence_starts, end, begin) + 1
        return reduce(or_, self.masks[begin:after])

    def place(self, at: int) -> tuple[int, int]:
        """Index of the segment of a token, and ordinal of its chunk there."""
        ordinal = bisect_right(self._firsts, at) - 1
        first = self._firsts[ordinal]
        chunks = self._chunks.get(first)
        return self._indices[ordinal][0], at - first if chunks is None else chunks[at - first]

    def segment_end(self, at: int) -> int:
        """First token after the segment of a token."""
        following = self._ordinal(at) + 1
        return self._firsts[following] if following < len(self._firsts) else len(self.tokens)

    def append(
        self, index: int, turn: int, heard: _Heard, begin: int, end: int, marked: Sequence[int]
    ) -> None:
        """Append the tokens of one segment.

        Args:
            index: Of the segment in the call.
            turn: Number of its turn.
            heard: All chunks of the call.
            begin: Ordinal of the segment's first chunk.
            end: Ordinal of the first chunk after it.
            marked: Ordinals of its marked chunks.
        """
        first = len(self.tokens)
        self._firsts.append(first)
        self._indices.append((index, turn, self.run))
        only = heard.only[begin:end]
        if not marked:
            self.tokens += only  # type: ignore[arg-type]  # chunks without marks have one token
            return
        if None in only:
            chunks = heard.chunks[begin:end]
            self._chunks[first] = tuple(
                ordinal for ordinal, chunk in enumerate(chunks) for _ in chunk.tokens
            )
            self.tokens += [token for chunk in chunks for token in chunk.tokens]
        else:
            self.tokens += only  # type: ignore[arg-type]  # none is None
        self._punctuate(first - begin, heard.chunks, marked)

    def end_run(self) -> None:
        """What comes next is not said in one breath with what came before."""
        self.run += 1
        self._start_sentence(len(self.tokens))

    def close(self) -> None:
        """Work out what the words mean to the phrases, once all are there."""
        tokens, starts = self.tokens, self.sentence_starts
        self.notable = [at for at, token in enumerate(tokens) if token.notable]
        self._join()
        ends = [*starts, len(tokens)]
        masks = self.masks = [0] * len(ends)
        number, mask = 0, 0
        for at in self.notable:
            if at >= ends[number]:
                masks[number], mask = mask, 0
                number = bisect_right(starts, at, number)
            mask |= tokens[at].mask
        masks[number] = mask
        self.mask = reduce(or_, self.masks)

    def _join(self) -> None:
        """Let a token also be the word that it makes with the next one («за пущу»)."""
        tokens, last = self.tokens, len(self.tokens) - 1
        split = [
            at
            for at in self.notable
            if (heads := tokens[at].heads) and at < last and tokens[at + 1].word[:2] in heads
        ]
        for at in split:
            if at + 1 in self.broken:
                continue
            joined = self.vocabulary.join(tokens[at], tokens[at + 1])
            if joined is not None:
                tokens[at] = joined
                self.joined.add(at)

    def heard_as(self, at: int, slot: int) -> str:
        """The word as which a token fills a slot: its own, or joined with the next one."""
        token = self.tokens[at]
        if token.joined is not None and slot not in self.vocabulary.slots_of.get(token.word, ()):
            return token.joined
        return token.word

    def _ordinal(self, at: int) -> int:
        return bisect_right(self._firsts, at) - 1

    def _start_sentence(self, at: int) -> None:
        self.broken.add(at)
        if not self.sentence_starts or self.sentence_starts[-1] != at:
            self.sentence_starts.append(at)

    def _punctuate(self, ahead: int, heard: Sequence[HeardChunk], marked: Sequence[int]) -> None:
        """Note where the chunks of the last segment that are not plain words break it.

        ``ahead`` is how far its tokens are ahead of its chunks: plain chunks are one token each.
        """
        end = len(self.tokens)
        for ordinal in marked:
            chunk = heard[ordinal]
            at = ordinal + ahead
            for before, strength in enumerate(chunk.breaks, at):
                if strength == SENTENCE:
                    self._start_sentence(before)
                elif strength:
                    self.broken.add(before)
            count = len(chunk.tokens)
            ahead += count - 1
            at += count
            if chunk.asks:
                self.asking.add(bisect_left(self.sentence_starts, at))
            if chunk.break_after == SENTENCE:
                self._start_sentence(at)
            # A comma at the end of a segment is the recogniser's, not the speaker's.
            elif chunk.break_after and at < end:
                self.broken.add(at)


def chunks_of(segment: Segment, first: int = 0, end: int | None = None) -> list[str]:
    """The chunks ``first``…``end - 1`` of a segment: timed words, else what spaces separate."""
    words = segment.words
    if isinstance(words, StoredWords):
        return [text.strip() for text in words.texts[first:end]]
    if words:
        return [word.word.strip() for word in words[first:end]]
    return segment.text.split()[first:end]


def build_streams(
    segments: Sequence[Segment],
    vocabulary: Vocabulary,
    *,
    backchannel_words: int,
    join_gap_ms: int,
) -> list[Stream]:
    """Build the streams of a call.

    Args:
        segments: Segments in time order; :meth:`Stream.segment` gives an index into them.
        vocabulary: Index of the packs that listen.
        backchannel_words: Most words of the others over which a role's words still run on.
        join_gap_ms: Longest pause over which they run on.
    """
    chunks, ends = _chunks_of_all(segments)
    every = vocabulary.heard(chunks)
    heard = _Heard(every, [chunk.only for chunk in every])
    marked = [at for at, chunk in enumerate(every) if chunk.marked]
    streams: dict[Role, Stream] = {}
    turn, last = -1, None
    begin = met = said = 0
    for index, (segment, end) in enumerate(zip(segments, ends, strict=True)):
        role, start_ms, end_ms = segment.role, segment.start_ms, segment.end_ms
        stream = streams.get(role)
        if stream is not last or stream is None:
            turn += 1
        if stream is None:
            stream = streams[role] = Stream(role, vocabulary)
        elif (
            said - stream.said_until > backchannel_words
            or start_ms - stream.last_end_ms > join_gap_ms
        ):
            stream.end_run()
        first, met = met, bisect_left(marked, end, met)
        before = len(stream.tokens)
        stream.append(index, turn, heard, begin, end, marked[first:met])
        said += len(stream.tokens) - before
        stream.said_until, last, begin = said, stream, end
        stream.last_end_ms = max(stream.last_end_ms, end_ms)
    for stream in streams.values():
        stream.close()
    return list(streams.values())


def _chunks_of_all(segments: Sequence[Segment]) -> tuple[list[str], list[int]]:
    """All chunks of a call, unstripped, and where those of each segment end."""
    chunks: list[str] = []
    ends: list[int] = []
    for segment in segments:
        words = segment.words
        if isinstance(words, StoredWords):
            chunks += words.texts
        elif words:
            chunks += [word.word for word in words]
        else:
            chunks += segment.text.split()
        ends.append(len(chunks))
    return chunks, ends
