"""The matcher: segments of a call in, phrase hits out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from speechlytics.config import PhrasesConfig
from speechlytics.phrases._evaluate import (
    CallContext,
    Found,
    evaluate,
    matched_text,
    worst,
)
from speechlytics.phrases._find import Match, find_at
from speechlytics.phrases._languages import languages_of
from speechlytics.phrases._packs import PackSet
from speechlytics.phrases._program import NO_ANCHORS, CompiledRule, Program, compile_program
from speechlytics.phrases._stream import Stream, build_streams
from speechlytics.records import PhraseHit, Segment, Silence

# What a recogniser invents over music or silence is no evidence of what was said.
_INVENTED = frozenset({"loop", "over_non_talk"})


@dataclass(frozen=True, slots=True)
class CallText:
    """One call for :meth:`Matcher.match_many`."""

    segments: Sequence[Segment]
    duration_ms: int
    silences: Sequence[Silence] = ()
    language: str | None = None


class Matcher:
    """Listens to calls with a set of packs.

    Building one is cheap; each group of languages is compiled when its first call comes, and
    what a word means to the phrases is remembered. Not safe for use by several threads.
    """

    def __init__(self, packs: PackSet, config: PhrasesConfig | None = None) -> None:
        self._packs = packs
        self._config = config or PhrasesConfig()
        self._programs: dict[tuple[str, ...], Program] = {}

    def match(
        self,
        segments: Sequence[Segment],
        *,
        duration_ms: int,
        silences: Sequence[Silence] = (),
        language: str | None = None,
        keep_all: bool = False,
    ) -> tuple[PhraseHit, ...]:
        """Hits of all rules in one call, by time.

        Args:
            segments: The call's transcript. Segments suspected to be invented (a loop, words
                over non-talk) are passed over.
            duration_ms: Length of the recording, for positions from its end and in per cent.
            silences: Non-talk spans, for rules that demand one before or after.
            language: Of the call (``"ru"``, ``"be-ru"``): which packs listen. ``None``: all.
            keep_all: Also the hits of rules that only other rules refer to (``emit = false``).
        """
        program = self._program(languages_of(language))
        heard = sorted(
            (s for s in segments if s.suspect not in _INVENTED),
            key=lambda s: (s.start_ms, s.segment_id),
        )
        streams = build_streams(
            heard,
            program.vocabulary,
            backchannel_words=self._config.backchannel_words,
            join_gap_ms=self._config.join_gap_ms,
        )
        context = CallContext(heard, duration_ms, silences)
        candidates = _candidates(program, streams)
        found: dict[str, list[Found]] = {}
        hits: list[PhraseHit] = []
        for ordinal in sorted(candidates):
            compiled = program.rules[ordinal]
            kept = evaluate(compiled, candidates[ordinal], context, found)
            found[compiled.rule.rule_id] = kept
            if compiled.rule.emit or keep_all:
                hits += [_hit(compiled, entry, context, program) for entry in kept]
        return tuple(sorted(hits, key=lambda h: (h.start_ms, h.end_ms, h.rule_id)))

    def match_many(self, calls: Iterable[CallText]) -> list[tuple[PhraseHit, ...]]:
        """:meth:`match` for many calls, in order."""
        return [
            self.match(
                call.segments,
                duration_ms=call.duration_ms,
                silences=call.silences,
                language=call.language,
            )
            for call in calls
        ]

    def _program(self, languages: tuple[str, ...]) -> Program:
        program = self._programs.get(languages)
        if program is None:
            cutoff = self._config.fuzzy_cutoff
            program = compile_program(self._packs.rules, languages, cutoff)
            self._programs[languages] = program
        return program


def _candidates(
    program: Program, streams: Sequence[Stream]
) -> dict[int, list[tuple[Stream, Match]]]:
    """Matches of the seed phrases of every rule that hears the stream, by rule ordinal."""
    found: dict[int, list[tuple[Stream, Match]]] = {}
    for stream in streams:
        anchored, tokens, masks = program.seeds_of(stream.role), stream.tokens, stream.masks
        starts = stream.sentence_starts
        bounds = [0, *starts, len(tokens)]
        number = 0
        for at in stream.notable:
            token = tokens[at]
            anchors = anchored[token.word]
            if anchors is None:
                if token.joined is None:
                    continue
                anchors = NO_ANCHORS
            if at >= bounds[number + 1]:
                number = bisect_right(starts, at, number)
            said = masks[number]
            seeds = anchors.among(said) if said & anchors.needed else anchors.alone
            if token.joined is not None and (joined := anchored[token.joined]):
                seeds = seeds + joined.among(said)
            for _, seed in seeds:
                match = find_at(seed.phrase, stream, at, bounds[number], bounds[number + 1])
                if match is not None:
                    found.setdefault(seed.rule, []).append((stream, match))
    return found


def _hit(compiled: CompiledRule, found: Found, context: CallContext, program: Program) -> PhraseHit:
    rule, stream = compiled.rule, found.stream
    kind, score = worst(
        [
            program.vocabulary.quality(stream.heard_as(position, slot), slot)
            for match in found.matches
            for position, slot in zip(match.positions, match.phrase.slots, strict=True)
        ]
    )
    return PhraseHit(
        rule_id=rule.rule_id,
        category=rule.category,
        role=stream.role,
        segment_id=context.segments[stream.segment(found.first)].segment_id,
        start_ms=found.start_ms,
        end_ms=found.end_ms,
        matched_text=matched_text(context.segments, stream, found.first, found.last),
        match_kind=kind,
        score=score,
        pack=rule.pack,
        pack_sha256=rule.pack_sha256,
    )
