"""Silence in context: what the words around a silence make of it. Pure functions.

A microphone tells how long nobody spoke; only words tell whether anybody minded. Three facts are
added to every silence: it was *announced* (the agent asked to wait, or said what they were about
to do), it came *after a question* (the customer asked or stated a problem and had no answer yet),
the agent *thanked* for waiting.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from speechlytics.records import PhraseHit, Segment, Silence

CONTEXT_MS = 10_000  # contract: words within 10 s of a silence belong to it
BORDER_MS = 1_000  # segments and measured silences disagree by up to this where they meet
DEED_SILENCE_MS = 3_000  # «сейчас открою» announces a silence; shorter gaps are how people talk
DEED_WORDS = 6  # a turn as short as this, that tells a deed, answers nothing
ACKNOWLEDGEMENT_WORDS = 2  # «угу», «понимаю вас», "I see": no answer to anything
# … unless they say yes or no; «так» is no yes here: in Russian it means "well"
ANSWERS = frozenset(
    ("да", "да-да", "нет", "нет-нет", "можно", "нельзя", "ага", "ні", "yes", "yeah", "no", "nope",
     "igen", "nem")
)  # fmt: skip

CONSENT_WORDS = 6  # «ну, раз так… давайте»: a turn as short as this may let the agent go on
CONSENTS = frozenset(
    ("да", "давай", "давайте", "хорошо", "ладно", "окей", "ок", "конечно", "жду", "подожду",
     "добре", "гаразд", "так", "чекаю", "зачекаю", "добра", "чакаю", "пачакаю",
     "sure", "okay", "ok", "fine",
     "yes", "yeah", "jó", "rendben", "oké", "persze", "várok", "igen")
)  # fmt: skip

WAITS = frozenset({"harmless_wait"})
ANNOUNCEMENTS = frozenset({"hold_announcement"}) | WAITS
RETURNS = frozenset({"hold_return"})
PROBLEMS = frozenset(
    {"issue_persists", "connection_problem", "billing_error", "sim_loss", "account_access"}
)

Asks = Callable[[str, str | None], bool]


def in_context(
    silences: Sequence[Silence],
    segments: Sequence[Segment],
    hits: Sequence[PhraseHit],
    language: str | None,
    *,
    asks: Asks | None = None,
    tells_deed: Asks | None = None,
) -> tuple[Silence, ...]:
    """Fill ``announced``, ``after_question`` and ``thanked`` of every silence.

    Args:
        silences: Silences of one call.
        segments: Its transcript, in any order.
        hits: Its phrase hits; categories ``hold_announcement`` and ``harmless_wait`` (said by
            the agent) announce, ``hold_return`` thanks.
        language: Language of the call, for telling questions.
        asks: Whether a text asks something; the shipped phrases' ``is_question`` by default.
        tells_deed: Whether somebody says what they are about to do; ``speaks_of_own_deed`` by
            default.
    """
    if asks is None or tells_deed is None:
        from speechlytics.phrases import is_question, speaks_of_own_deed

        asks, tells_deed = asks or is_question, tells_deed or speaks_of_own_deed
    talk = _Talk.of(segments, hits, language, asks, tells_deed)
    return tuple(
        replace(
            silence,
            announced=talk.announced(silence),
            after_question=talk.question_hangs(silence),
            thanked=talk.thanked(silence),
        )
        for silence in silences
    )


@dataclass(frozen=True, slots=True)
class _Talk:
    """A call's words, sorted for looking around a silence in O(log n)."""

    segments: tuple[Segment, ...]
    starts: tuple[int, ...]
    announcements: tuple[int, ...]  # ends of the agent's announcements, ms
    returns: tuple[int, ...]  # starts of the agent's thanks, ms
    waits_by_segment: frozenset[int]
    asked_to_wait: frozenset[int]  # segments in which the customer asks for time
    problems_by_segment: frozenset[int]
    language: str | None
    asks: Asks
    tells_deed: Asks

    @classmethod
    def of(
        cls,
        segments: Sequence[Segment],
        hits: Sequence[PhraseHit],
        language: str | None,
        asks: Asks,
        tells_deed: Asks,
    ) -> _Talk:
        spoken = sorted(
            (s for s in segments if s.role != "ivr" and s.text.strip()),
            key=lambda s: (s.start_ms, s.channel),
        )
        # a mono recording has roles unknown: who announces a wait there is taken for the agent
        agent = [hit for hit in hits if hit.role in {"agent", "unknown"}]
        announced = [hit for hit in agent if hit.category in ANNOUNCEMENTS]
        return cls(
            segments=tuple(spoken),
            starts=tuple(s.start_ms for s in spoken),
            announcements=tuple(sorted(hit.end_ms for hit in announced)),
            returns=tuple(sorted(hit.start_ms for hit in agent if hit.category in RETURNS)),
            waits_by_segment=frozenset(hit.segment_id for hit in announced),
            asked_to_wait=frozenset(
                hit.segment_id
                for hit in hits
                if hit.category in WAITS and hit.role in {"customer", "unknown"}
            ),
            problems_by_segment=frozenset(
                hit.segment_id
                for hit in hits
                if hit.category in PROBLEMS and hit.role in {"customer", "unknown"}
            ),
            language=language,
            asks=asks,
            tells_deed=tells_deed,
        )

    def announced(self, silence: Silence) -> bool:
        """An announcement ended within the context before the silence.

        Or the agent's last words before it, which nobody but a consenting customer followed, tell
        what they are about to do: they are at it, whether or not they asked to wait.
        """
        return _any_between(
            self.announcements, silence.start_ms - CONTEXT_MS, silence.start_ms + BORDER_MS
        ) or (silence.duration_ms >= DEED_SILENCE_MS and self._busy(silence))

    def _busy(self, silence: Silence) -> bool:
        for segment in reversed(self._before(silence)):
            if segment.end_ms < silence.start_ms - CONTEXT_MS:
                return False
            if segment.role in {"agent", "unknown"}:
                return self.tells_deed(segment.text, segment.language or self.language)
            if not _consents(segment.text):
                return False
        return False

    def _before(self, silence: Silence) -> tuple[Segment, ...]:
        """What was said before the silence, a border inside it allowed for."""
        middle = min(silence.start_ms + BORDER_MS, (silence.start_ms + silence.end_ms) // 2)
        return self.segments[: bisect_left(self.starts, middle)]

    def thanked(self, silence: Silence) -> bool:
        """Thanks for waiting began within the context after the silence."""
        return _any_between(self.returns, silence.end_ms - BORDER_MS, silence.end_ms + CONTEXT_MS)

    def question_hangs(self, silence: Silence) -> bool:
        """The customer's last words before it ask or complain, and the agent has not answered.

        Going back from the silence: what the agent said is no answer if it only announces the
        wait or is a mere acknowledgement; the first customer's turn met is the one that counts.
        A customer who asks for time waits for nobody.
        """
        customer_spoke = False
        for segment in reversed(self._before(silence)):
            if segment.role == "agent":
                if customer_spoke or not self._is_filler(segment):
                    return False
                continue
            customer_spoke = True
            if segment.segment_id in self.asked_to_wait:
                return False
            if segment.segment_id in self.problems_by_segment:
                return True
            if self.asks(segment.text, segment.language or self.language):
                return True
        return False

    def _is_filler(self, segment: Segment) -> bool:
        if segment.segment_id in self.waits_by_segment:
            return True
        said = segment.text.casefold().split()
        if len(said) > ACKNOWLEDGEMENT_WORDS:
            return len(said) <= DEED_WORDS and self.tells_deed(
                segment.text, segment.language or self.language
            )
        return not any(word.strip(".,!?…") in ANSWERS for word in said)


def _consents(text: str) -> bool:
    said = [word.strip(".,!…") for word in text.casefold().split()]
    if "?" in text or len(said) > CONSENT_WORDS:
        return False
    return len(said) <= ACKNOWLEDGEMENT_WORDS or any(word in CONSENTS for word in said)


def _any_between(instants: Sequence[int], low: int, high: int) -> bool:
    return bisect_left(instants, low) < bisect_right(instants, high)
