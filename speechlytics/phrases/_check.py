"""`rules check` and `rules test`: a pack is its own test."""

from __future__ import annotations

import re
from pathlib import Path

from speechlytics.phrases._matcher import Matcher
from speechlytics.phrases._packs import PackSet, read_packs
from speechlytics.phrases._rules import Problem, Rule
from speechlytics.records import PhraseHit, Role, Segment, Silence

WORD_MS = 300  # how long a word of an example lasts
LATE_MS = 600_000  # start of a turn shown to a rule that listens late in a call
PAUSE_MS = 200  # between the turns of an example
_LINE = re.compile(r"(?P<role>agent|customer|ivr|unknown):(?P<text>.*)")
_SILENCE = re.compile(r"\[silence (?P<seconds>\d+)\]")
_ROLES: dict[str, Role] = {
    "agent": "agent",
    "customer": "customer",
    "ivr": "ivr",
    "unknown": "unknown",
}


def check(folder: Path) -> list[Problem]:
    """Everything wrong in the packs of ``folder``.

    Beside what :func:`load_packs` refuses: examples that do not fire, counter-examples that
    do. Rules without problems of form are tried even if others have some.
    """
    packs, problems = read_packs([folder])
    matcher = Matcher(packs)
    for rule in packs.rules:
        path = folder / f"{rule.pack}.toml"
        for example in rule.examples:
            if not _fires(matcher, rule, example):
                message = f"{example!r} does not fire; change the phrases or the example"
                problems.append(Problem(path, rule.rule_id, "examples", message))
        for example in rule.counter_examples:
            fired = _fires(matcher, rule, example)
            if fired:
                message = f"{example!r} fires on {fired[0].matched_text!r}; it must not"
                problems.append(Problem(path, rule.rule_id, "counter_examples", message))
    return problems


def try_text(
    packs: PackSet, text: str, role: Role = "customer", language: str | None = None
) -> tuple[PhraseHit, ...]:
    """Hits of all rules on a text as somebody types it.

    Args:
        packs: Packs that listen.
        text: One turn of ``role``, or a dialogue with lines ``agent: …``, ``customer: …`` and
            ``[silence 12]`` (seconds).
        role: Who says it, unless the lines tell.
        language: As for :meth:`Matcher.match`.
    """
    return _match(Matcher(packs), text, role, language)


def _fires(matcher: Matcher, rule: Rule, example: str) -> list[PhraseHit]:
    role: Role = "customer" if rule.role == "any" else rule.role
    late = rule.last_ms is not None or rule.last_pct is not None
    # A single turn shows words, not a place in the call: put it where the rule listens.
    start_ms = LATE_MS if late and "\n" not in example.strip() else 0
    hits = _match(matcher, example, role, rule.language, keep_all=True, start_ms=start_ms)
    return [hit for hit in hits if hit.rule_id == rule.rule_id]


def _match(
    matcher: Matcher,
    text: str,
    role: Role,
    language: str | None,
    *,
    keep_all: bool = False,
    start_ms: int = 0,
) -> tuple[PhraseHit, ...]:
    segments, silences, duration_ms = parse_dialogue(text, role, start_ms)
    return matcher.match(
        segments,
        duration_ms=duration_ms,
        silences=silences,
        language=language,
        keep_all=keep_all,
    )


def parse_dialogue(
    text: str, role: Role, start_ms: int = 0
) -> tuple[list[Segment], list[Silence], int]:
    """Segments, silences and duration of an example; every word lasts ``WORD_MS``."""
    segments: list[Segment] = []
    silences: list[Silence] = []
    at = start_ms
    for line in filter(None, (line.strip() for line in text.splitlines())):
        silence = _SILENCE.fullmatch(line)
        if silence:
            end = at + int(silence["seconds"]) * 1000
            silences.append(Silence(at, end, "silence", "inner", None, None))
            at = end
            continue
        named = _LINE.fullmatch(line)
        speaker = _ROLES[named["role"]] if named else role
        said = named["text"].strip() if named else line
        end = at + WORD_MS * max(1, len(said.split()))
        segments.append(Segment(len(segments), 0, speaker, at, end, said))
        at = end + PAUSE_MS
    return segments, silences, max(1, at)
