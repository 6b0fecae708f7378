"""Segments of a call → one stream of tokens per role.

A role's words run on from segment to segment, over the other side's short backchannel («угу»,
"right") as well; a longer answer or a long pause ends the run.

Most tokens are never asked about, so a stream keeps its words and, sparsely, where something
changes: the first tokens of segments and sentences, and the tokens after punctuation.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from operator import or_

from speechlytics.phrases._text import SENTENCE
from speechlytics.phrases._vocabulary import HeardChunk, Vocabulary
from speechlytics.records import Role, Segment


@dataclass(slots=True)
class Stream:
    """What one role said, token by token.

    ``words`` holds the tokens, ``slots`` what each of them fills; ``broken`` the tokens before
    which there is punctuation or a new sentence; ``sentence_starts`` the first tokens of all
    sentences but the first, ascending; ``asking`` the sentences that end with a question mark;
    ``masks`` the slots that the words of each sentence fill, a bit each; ``joined`` the words
    that a token makes with the next one, if the recogniser split them. Turns are numbered
    within the call (one turn: consecutive segments of one role), runs are stretches over which
    the role's words run on.
    """

    role: Role
    vocabulary: Vocabulary
    words: list[str] = field(default_factory=list)
    slots: list[frozenset[int]] = field(default_factory=list)
    broken: set[int] = field(default_factory=set)
    sentence_starts: list[int] = field(default_factory=list)
    asking: set[int] = field(default_factory=set)
    masks: list[int] = field(default_factory=list)
    joined: dict[int, str] = field(default_factory=dict)
    run: int = 0
    last_end_ms: int = 0
    others_words: int = 0
    _firsts: list[int] = field(default_factory=list)  # first token of each segment
    _indices: list[tuple[int, int, int]] = field(default_factory=list)  # its index, turn, run
    _chunks: dict[int, tuple[int, ...]] = field(default_factory=dict)  # chunk of each token

    def sentences(self) -> Iterator[tuple[int, int, int]]:
        """First token, token after the last, and mask of each sentence."""
        return zip(
            [0, *self.sentence_starts],
            [*self.sentence_starts, len(self.words)],
            self.masks,
            strict=True,
        )

    def sentence(self, at: int) -> int:
        """Number of the sentence of a token, from 0."""
        return bisect_right(self.sentence_starts, at)

    def sentence_bounds(self, at: int) -> tuple[int, int]:
        """First token of the sentence of ``at``, and first token after it."""
        starts = self.sentence_starts
        number = bisect_right(starts, at)
        return (
            starts[number - 1] if number else 0,
            starts[number] if number < len(starts) else len(self.words),
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

    def chunk(self, at: int) -> int:
        """Ordinal of the chunk of a token in its segment."""
        first = self._firsts[self._ordinal(at)]
        chunks = self._chunks.get(first)
        return at - first if chunks is None else chunks[at - first]

    def segment_end(self, at: int) -> int:
        """First token after the segment of a token."""
        following = self._ordinal(at) + 1
        return self._firsts[following] if following < len(self._firsts) else len(self.words)

    def append(self, index: int, turn: int, heard: list[HeardChunk]) -> int:
        """Append the tokens of one segment; returns how many."""
        first = len(self.words)
        self._firsts.append(first)
        self._indices.append((index, turn, self.run))
        self.words += [word for chunk in heard for word in chunk.words]
        count = len(self.words) - first
        marked = [ordinal for ordinal, chunk in enumerate(heard) if chunk.marked]
        if marked:
            if any(len(heard[ordinal].words) != 1 for ordinal in marked):
                self._chunks[first] = tuple(
                    ordinal for ordinal, chunk in enumerate(heard) for _ in chunk.words
                )
            self._punctuate(first, marked, heard)
        return count

    def end_run(self) -> None:
        """What comes next is not said in one breath with what came before."""
        self.run += 1
        self._start_sentence(len(self.words))

    def close(self) -> None:
        """Work out what the words mean to the phrases, once all are there."""
        nothing: frozenset[int] = frozenset()
        slots_of, mask_of = self.vocabulary.slots_of, self.vocabulary.mask_of
        self.slots = [slots_of.get(word, nothing) for word in self.words]
        masks = [mask_of.get(word, 0) for word in self.words]
        self._join(masks)
        starts = self.sentence_starts
        self.masks = [
            reduce(or_, masks[start:end], 0)
            for start, end in zip([0, *starts], [*starts, len(masks)], strict=True)
        ]

    def _join(self, masks: list[int]) -> None:
        """Let a token also be the word that it makes with the next one («за пущу»)."""
        words, vocabulary = self.words, self.vocabulary
        heads = vocabulary.heads
        split = [
            at
            for at, (word, following) in enumerate(pairwise(words))
            if word in heads and following[:2] in heads[word]
        ]
        for at in split:
            if at + 1 in self.broken:
                continue
            joined = vocabulary.join(words[at], words[at + 1])
            if joined is not None:
                self.joined[at] = joined
                self.slots[at] |= vocabulary.slots_of[joined]
                masks[at] |= vocabulary.mask_of[joined]

    def heard_as(self, at: int, slot: int) -> str:
        """The word as which a token fills a slot: its own, or joined with the next one."""
        own = self.words[at]
        if at in self.joined and slot not in self.vocabulary.slots_of.get(own, ()):
            return self.joined[at]
        return own

    def _ordinal(self, at: int) -> int:
        return bisect_right(self._firsts, at) - 1

    def _start_sentence(self, at: int) -> None:
        self.broken.add(at)
        if not self.sentence_starts or self.sentence_starts[-1] != at:
            self.sentence_starts.append(at)

    def _punctuate(self, first: int, marked: list[int], heard: list[HeardChunk]) -> None:
        """Note where the chunks of a segment that are not plain words break it."""
        at, done, end = first, 0, len(self.words)
        for ordinal in marked:
            chunk = heard[ordinal]
            at += ordinal - done  # plain chunks in between are one token each
            done = ordinal + 1
            for strength in chunk.breaks:
                if strength:
                    self._break(at, strength)
                at += 1
            if chunk.asks:
                self.asking.add(bisect_left(self.sentence_starts, at))
            # A comma at the end of a segment is the recogniser's, not the speaker's.
            if chunk.break_after == SENTENCE or (chunk.break_after and at < end):
                self._break(at, chunk.break_after)

    def _break(self, at: int, strength: int) -> None:
        if strength == SENTENCE:
            self._start_sentence(at)
        else:
            self.broken.add(at)


def chunks_of(segment: Segment) -> list[str]:
    """The chunks of a segment: its timed words, else what spaces separate."""
    if segment.words:
        return [word.word.strip() for word in segment.words]
    return segment.text.split()


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
    streams: dict[Role, Stream] = {}
    turn, last_role = -1, None
    for index, segment in enumerate(segments):
        if segment.role != last_role:
            turn, last_role = turn + 1, segment.role
        stream = streams.get(segment.role)
        if stream is None:
            stream = streams[segment.role] = Stream(segment.role, vocabulary)
        elif (
            stream.others_words > backchannel_words
            or segment.start_ms - stream.last_end_ms > join_gap_ms
        ):
            stream.end_run()
        count = stream.append(index, turn, vocabulary.heard(chunks_of(segment)))
        stream.last_end_ms = max(stream.last_end_ms, segment.end_ms)
        stream.others_words = 0
        for other in streams.values():
            if other is not stream:
                other.others_words += count
    for stream in streams.values():
        stream.close()
    return list(streams.values())
