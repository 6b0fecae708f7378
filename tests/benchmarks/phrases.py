"""Phrases at scale: calls per CPU-second, and what the vocabulary index misses.

    python -m tests.benchmarks.phrases

200 phrases over calls of 800 words. The exhaustive search compares every phrase with every
position of every call, lemma by lemma, in code of its own; what it finds and the matcher does
not is lost.
"""

from __future__ import annotations

import argparse
import re
import tempfile
import time
from datetime import date
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

from speechlytics.config import PhrasesConfig
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import CallAnalysis, PhraseHit
from tests.benchmarks import results
from tests.benchmarks.synthetic_store import Dialogues

PHRASES = 200
_NEGATORS = frozenset({"не", "ни", "нет", "нельзя", "без"})


def write_pack(folder: Path, dialogues: Dialogues) -> dict[str, str]:
    """A pack of phrases, two to four words in a row out of the turns; returns them by rule id."""
    rules: list[str] = []
    seen: dict[str, str] = {}
    texts = (text for _ in range(9999) for text in dialogues.texts(1, 40, share_of_turns=1.0))
    for number, text in enumerate(texts):
        words = [word.lower() for word in text.split()]
        size = 2 + number % 3
        at = number % (len(words) - size)
        phrase = " ".join(words[at : at + size])
        if (
            all(word.isalpha() and len(word) > 2 for word in phrase.split())
            and phrase not in seen.values()
        ):
            seen[f"p{len(seen) + 1}"] = phrase
            rules.append(
                f'[[rule]]\nid = "p{len(seen)}"\ncategory = "issue_persists"\nlanguage = "ru"\n'
                f'any = ["{phrase}"]\nmatch = "fuzzy"\nexamples = ["{phrase}"]\n'
            )
        if len(seen) == PHRASES:
            break
    (folder / "ru").mkdir(parents=True)
    (folder / "ru" / "phrases.toml").write_text("\n".join(rules), "utf-8")
    return seen


def match(matcher: Matcher, calls: list[CallAnalysis]) -> list[tuple[PhraseHit, ...]]:
    """Hits of every call."""
    return [
        matcher.match(
            call.transcript.segments, duration_ms=call.activity.duration_ms, language="ru"
        )
        for call in calls
        if call.transcript is not None and call.activity is not None
    ]


def speed(matcher: Matcher, calls: list[CallAnalysis], rounds: int) -> float:
    """Calls per CPU-second, the words once met."""
    match(matcher, calls)
    spent = []
    for _ in range(rounds):
        started = time.process_time()
        match(matcher, calls)
        spent.append(time.process_time() - started)
    return len(calls) / median(spent)


def recall(
    phrases: dict[str, str], matcher: Matcher, calls: list[CallAnalysis]
) -> tuple[float, int]:
    """Share of the exhaustive search's (call, rule) pairs that the matcher finds, and how many."""
    found = expected = 0
    keys = {rule: [_keys(word) for word in text.split()] for rule, text in phrases.items()}
    for call, hits in zip(calls, match(matcher, calls), strict=True):
        every: set[str] = set()
        for sentence in _sentences(call):
            heard = [_keys(word) for word in sentence]
            for rule, wanted in keys.items():
                every |= {rule for at in range(len(heard)) if _stands(wanted, heard, at, sentence)}
        expected += len(every)
        found += len(every & {hit.rule_id for hit in hits})
    return found / max(expected, 1), expected


def _stands(
    wanted: list[frozenset[str]], heard: list[frozenset[str]], at: int, words: list[str]
) -> bool:
    """Whether the phrase stands at ``at``, word for word, and nobody says no to it there."""
    if at + len(wanted) > len(heard):
        return False
    if not all(a & b for a, b in zip(wanted, heard[at:], strict=False)):
        return False
    return _NEGATORS.isdisjoint(words[max(0, at - 5) : at + len(wanted)])


def _sentences(call: CallAnalysis) -> list[list[str]]:
    """Lower-case words of every sentence of every segment."""
    assert call.transcript is not None
    return [
        re.findall(r"\w+", sentence.lower())
        for segment in call.transcript.segments
        for sentence in re.split(r"[.?!,;:—…]", segment.text)
    ]


@lru_cache(maxsize=100_000)
def _keys(word: str) -> frozenset[str]:
    """The word and all its lemmas."""
    return frozenset({word, *(parse.normal_form for parse in _analyser().parse(word))})


@lru_cache(maxsize=1)
def _analyser() -> Any:
    from pymorphy3 import MorphAnalyzer

    return MorphAnalyzer(lang="ru")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--exhaustive", type=int, default=20, help="calls searched exhaustively")
    parser.add_argument("--rounds", type=int, default=3)
    chosen = parser.parse_args()
    dialogues = Dialogues(seed=3)
    calls = [
        dialogues.analysis(f"c{n}", date(2026, 11, 2), segments=60, words=840)
        for n in range(chosen.calls)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "packs"
        phrases = write_pack(folder, dialogues)
        own = Matcher(load_packs([folder]), PhrasesConfig())
        started = time.process_time()
        match(own, calls[:1])
        compiled_s = time.process_time() - started
        share, expected = recall(phrases, own, calls[: chosen.exhaustive])
        figures = {
            "calls per CPU-second, 200 phrases": speed(own, calls, chosen.rounds),
            "calls per CPU-second, shipped packs": speed(
                Matcher(load_packs(), PhrasesConfig()), calls, chosen.rounds
            ),
            "share of exhaustive matching, %": 100 * share,
            "hits of exhaustive matching": expected,
            "first call (compiles the packs), s": compiled_s,
        }
    words = sum(len(s.text.split()) for s in calls[0].transcript.segments)  # type: ignore[union-attr]  # transcribed
    note = f"{chosen.calls} calls of {words} words in 60 segments, {chosen.exhaustive} exhaustively"
    results.append("phrases", "Russian", figures, note)


if __name__ == "__main__":
    main()
