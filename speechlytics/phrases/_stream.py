"""Segments of a call → one stream of tokens per role.

A role's words run on from segment to segment, over the other side's short backchannel («угу»,
"right") as well; a longer answer or a long pause ends the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from speechlytics.phrases._text import NO_BREAK, SENTENCE
from speechlytics.phrases._vocabulary import HeardChunk, Vocabulary
from speechlytics.records import Role, Segment


@dataclass(slots=True)
class Stream:
    """What one role said, token by token; all lists run in parallel.

    ``sentences`` numbers sentences within the stream, ``turns`` numbers turns within the call
    (one turn: consecutive segments of one role), ``runs`` stretches over which the role's words
    run on. ``places`` maps a
    word that fills any slot to its tokens, ascending; ``present`` are the slots so filled.
    """

    role: Role
    words: list[str] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    sentences: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    runs: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    places: dict[str, list[int]] = field(default_factory=dict)
    present: set[int] = field(default_factory=set)
    vocabulary: Vocabulary | None = None
    _filled: dict[int, list[int]] = field(default_factory=dict)
    asking: set[int] = field(default_factory=set)
    sentence: int = 0
    last_end_ms: int = 0
    others_words: int = 0
    turn: int = -1
    run: int = 0

    def positions(self, slot: int) -> list[int]:
        """Tokens that fill ``slot``, ascending; worked out when first asked for."""
        known = self._filled.get(slot)
        if known is None:
            places, vocabulary = self.places, self.vocabulary
            known = []
            if vocabulary is not None and slot in self.present:
                for word in vocabulary.words_of(slot) & places.keys():
                    known += places[word]
                known.sort()
            self._filled[slot] = known
        return known


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
        segments: Segments in time order; ``segments[i]`` is what ``Stream.segments`` refers to.
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
            stream = streams[segment.role] = Stream(segment.role, vocabulary=vocabulary)
        elif (
            stream.others_words > backchannel_words
            or segment.start_ms - stream.last_end_ms > join_gap_ms
        ):
            stream.sentence += 1
            stream.run += 1
        stream.turn = turn
        heard = [vocabulary.heard(chunk) for chunk in chunks_of(segment)]
        count = _append(stream, index, heard)
        stream.last_end_ms = max(stream.last_end_ms, segment.end_ms)
        stream.others_words = 0
        for other in streams.values():
            if other is not stream:
                other.others_words += count
    return list(streams.values())


def _append(stream: Stream, index: int, heard: list[HeardChunk]) -> int:
    """Append one segment's tokens; returns how many."""
    before = at = len(stream.words)
    words, breaks, sentences, chunks = stream.words, stream.breaks, stream.sentences, stream.chunks
    places = stream.places
    pending = NO_BREAK
    sentence = stream.sentence
    for ordinal, chunk in enumerate(heard):
        for token in chunk.tokens:
            strength = token.break_before if token.break_before > pending else pending
            pending = NO_BREAK
            if strength == SENTENCE:
                sentence += 1
            word = token.word
            words.append(word)
            breaks.append(strength)
            sentences.append(sentence)
            chunks.append(ordinal)
            if token.slots:
                known = places.get(word)
                if known is None:
                    places[word] = [at]
                    stream.present |= token.slots
                else:
                    known.append(at)
            at += 1
        pending = max(pending, chunk.break_after)
        if chunk.asks:
            stream.asking.add(sentence)
    count = at - before
    stream.segments.extend([index] * count)
    stream.turns.extend([stream.turn] * count)
    stream.runs.extend([stream.run] * count)
    stream.sentence = sentence + (1 if pending == SENTENCE else 0)
    return count
