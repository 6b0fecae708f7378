"""A rule in a call: its phrases' matches → the ones that meet every demand of the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from speechlytics.phrases._find import CompiledPhrase, Match, find, find_near
from speechlytics.phrases._program import CompiledRule
from speechlytics.phrases._question import is_question
from speechlytics.phrases._rules import Condition, Rule
from speechlytics.phrases._stream import Stream, chunks_of
from speechlytics.records import MatchKind, Segment, Silence

EXCEPT_REACH_WORDS = 8  # how far from a hit an exception holds: speech may lack full stops
SILENCE_REACH_MS = 5_000  # how near `after`/`before` a silence is, unless within_ms says


@dataclass(frozen=True, slots=True)
class CallContext:
    """What the demands of a rule are checked against."""

    segments: Sequence[Segment]
    duration_ms: int
    silences: Sequence[Silence]
    offsets: dict[int, list[int]] = field(default_factory=dict)

    def times(self, stream: Stream, at: int) -> tuple[int, int]:
        """Start and end of a token in ms: its word's own, else its share of the text."""
        index, ordinal = stream.place(at)
        segment = self.segments[index]
        if segment.words:
            word = segment.words[ordinal]
            return word.start_ms, word.end_ms
        offsets = self.offsets.get(index)
        if offsets is None:
            lengths = (len(chunk) + 1 for chunk in chunks_of(segment))
            offsets = self.offsets[index] = [0, *accumulate(lengths)]
        duration, total = segment.end_ms - segment.start_ms, offsets[-1]
        start = segment.start_ms + duration * offsets[ordinal] // total
        return start, segment.start_ms + duration * offsets[ordinal + 1] // total


@dataclass(frozen=True, slots=True)
class Found:
    """A hit in the making: the tokens ``first``…``last`` of a stream, and its times."""

    stream: Stream
    first: int
    last: int
    start_ms: int
    end_ms: int
    matches: tuple[Match, ...]

    @property
    def turn(self) -> int:
        """Turn in which it starts."""
        return self.stream.turn(self.first)


def evaluate(
    compiled: CompiledRule,
    candidates: Sequence[tuple[Stream, Match]],
    context: CallContext,
    earlier: dict[str, list[Found]],
) -> list[Found]:
    """Hits of one rule among ``candidates``, by time, not overlapping."""
    if not _may_hold(compiled.rule, context, earlier):
        return []
    hits: list[Found] = []
    for stream, match in candidates:
        found = _complete(compiled, stream, match, context)
        if found is not None and _admits(compiled, found, context, earlier):
            hits.append(found)
    # Of overlapping matches the earliest, of these the one with most words, is the hit.
    hits.sort(
        key=lambda h: (h.start_ms, h.first, -sum(len(m.positions) for m in h.matches), -h.last)
    )
    kept: list[Found] = []
    for hit in hits:
        if not any(
            k.stream is hit.stream and hit.first <= k.last and k.first <= hit.last for k in kept
        ):
            kept.append(hit)
    return kept


def _may_hold(rule: Rule, context: CallContext, earlier: dict[str, list[Found]]) -> bool:
    """Whether the call has anything of what the rule must stand after and before."""
    for condition in (rule.after, rule.before):
        if condition is None or condition.edge is not None:
            continue
        if condition.silence_ms is not None:
            if all(silence.duration_ms < condition.silence_ms for silence in context.silences):
                return False
        elif not any(earlier.get(name) for name in condition.rules):
            return False
    return True


def _complete(
    compiled: CompiledRule, stream: Stream, match: Match, context: CallContext
) -> Found | None:
    """Join the nearest match of each further `all` phrase within the rule's window."""
    rule = compiled.rule
    matches = [match]
    first, last = match.first, match.last
    for phrase in compiled.others:
        near = [
            other
            for other in find(phrase, stream)
            if _within(rule, context, stream, min(first, other.first), max(last, other.last))
        ]
        if not near:
            return None
        nearest = min(near, key=lambda m: max(last, m.last) - min(first, m.first))
        matches.append(nearest)
        first, last = min(first, nearest.first), max(last, nearest.last)
    last += last in stream.joined  # the other half of a split word
    start_ms, _ = context.times(stream, first)
    _, end_ms = context.times(stream, last)
    return Found(stream, first, last, start_ms, max(start_ms, end_ms), tuple(matches))


def _within(rule: Rule, context: CallContext, stream: Stream, first: int, last: int) -> bool:
    """Whether tokens stand in the rule's window; without one, in the same turn."""
    if rule.within_words is None and rule.within_ms is None:
        return stream.turn(first) == stream.turn(last)
    if rule.within_words is not None and (
        last - first >= rule.within_words or stream.run_of(first) != stream.run_of(last)
    ):
        return False
    if rule.within_ms is None:
        return True
    start, _ = context.times(stream, first)
    _, end = context.times(stream, last)
    return end - start <= rule.within_ms


def _admits(
    compiled: CompiledRule, found: Found, context: CallContext, earlier: dict[str, list[Found]]
) -> bool:
    rule = compiled.rule
    return (
        # What costs least and refuses most comes first.
        _in_position(rule, found, context.duration_ms)
        and (rule.after is None or _met(rule.after, found, context, earlier, after=True))
        and (rule.before is None or _met(rule.before, found, context, earlier, after=False))
        and not _near(compiled.none, rule, found, context)
        and not _excepted(compiled.excepted, found)
        and (rule.question is None or rule.question == _asks(rule, found, context))
        and not (rule.not_after and _met(rule.not_after, found, context, earlier, after=True))
        and not (rule.not_before and _met(rule.not_before, found, context, earlier, after=False))
    )


def _in_position(rule: Rule, found: Found, duration_ms: int) -> bool:
    return (
        (rule.first_ms is None or found.start_ms < rule.first_ms)
        and (rule.last_ms is None or found.end_ms > duration_ms - rule.last_ms)
        and (rule.first_pct is None or found.start_ms * 100 < rule.first_pct * duration_ms)
        and (rule.last_pct is None or found.end_ms * 100 > (100 - rule.last_pct) * duration_ms)
    )


def _near(
    phrases: Sequence[CompiledPhrase], rule: Rule, found: Found, context: CallContext
) -> bool:
    """Whether one of `none` stands in the window of the hit."""
    return any(
        _within(rule, context, found.stream, min(found.first, m.first), max(found.last, m.last))
        for phrase in phrases
        for m in find(phrase, found.stream)
    )


def _excepted(phrases: Sequence[CompiledPhrase], found: Found) -> bool:
    """Whether one of `except` stands in a sentence of the hit, and near it."""
    if not phrases:
        return False
    stream, end = found.stream, found.last + 1
    said = stream.said(found.first, end)
    return any(
        match.last >= found.first - EXCEPT_REACH_WORDS
        and match.first <= found.last + EXCEPT_REACH_WORDS
        and stream.turn(match.last) >= stream.turn(found.first)
        and stream.turn(match.first) <= stream.turn(found.last)
        for phrase in phrases
        if said & phrase.mask == phrase.mask
        for match in find_near(phrase, stream, found.first, end)
    )


def _asks(rule: Rule, found: Found, context: CallContext) -> bool:
    """Whether the hit's sentence is a question; unpunctuated speech is judged by its words."""
    stream = found.stream
    if stream.asking.intersection(
        range(stream.sentence(found.first), stream.sentence(found.last) + 1)
    ):
        return True
    segment = context.segments[stream.segment(found.first)]
    if any(mark in segment.text for mark in ".?!"):
        return False
    return is_question(segment.text, rule.language)


def _met(
    condition: Condition,
    found: Found,
    context: CallContext,
    earlier: dict[str, list[Found]],
    *,
    after: bool,
) -> bool:
    def near(gap_ms: int, default_ms: int | None = None) -> bool:
        reach = condition.within_ms if condition.within_ms is not None else default_ms
        return gap_ms >= 0 and (reach is None or gap_ms <= reach)

    if condition.edge is not None:
        return near(found.start_ms if after else max(0, context.duration_ms - found.end_ms))
    if condition.silence_ms is not None:
        return any(
            near(
                found.start_ms - s.end_ms if after else s.start_ms - found.end_ms, SILENCE_REACH_MS
            )
            for s in context.silences
            if s.duration_ms >= condition.silence_ms
        )
    return any(
        near(found.start_ms - other.end_ms if after else other.start_ms - found.end_ms)
        and (
            condition.within_turns is None or abs(found.turn - other.turn) <= condition.within_turns
        )
        for name in condition.rules
        for other in earlier.get(name, ())
    )


def matched_text(segments: Sequence[Segment], stream: Stream, first: int, last: int) -> str:
    """The chunks of the tokens ``first``…``last`` as they were written."""
    parts: list[str] = []
    begin = first
    while begin <= last:
        end = min(stream.segment_end(begin), last + 1)
        index, first_chunk = stream.place(begin)
        chunks = chunks_of(segments[index], first_chunk, stream.place(end - 1)[1] + 1)
        parts.append(" ".join(chunks))
        begin = end
    return " … ".join(parts).strip(' .,;:!?…«»"()-—–')


def worst(kinds: Sequence[tuple[MatchKind, float]]) -> tuple[MatchKind, float]:
    """Kind and score of the word that matched least well."""
    order: tuple[MatchKind, ...] = ("exact", "stem", "fuzzy")
    return order[max(order.index(kind) for kind, _ in kinds)], min(score for _, score in kinds)
