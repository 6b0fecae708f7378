"""The rules that listen to one group of languages, compiled against one vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from speechlytics.phrases._find import CompiledPhrase
from speechlytics.phrases._grammar import Phrase, Slot
from speechlytics.phrases._rules import Rule
from speechlytics.phrases._vocabulary import Vocabulary

_SHORT_WORD = 4  # shorter words are frequent in every language: poor anchors


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its phrases as slot ids; ``seeds`` are the phrases that start a hit."""

    rule: Rule
    seeds: tuple[CompiledPhrase, ...]
    others: tuple[CompiledPhrase, ...]
    none: tuple[CompiledPhrase, ...]
    excepted: tuple[CompiledPhrase, ...]


@dataclass(frozen=True, slots=True)
class Program:
    """Rules in the order of evaluation, and which of them an anchor slot may set off.

    ``seeds`` maps a slot to (rule ordinal, phrase ordinal) pairs anchored on it.
    """

    rules: tuple[CompiledRule, ...]
    vocabulary: Vocabulary
    seeds: dict[int, tuple[tuple[int, int], ...]]


def compile_program(rules: Sequence[Rule], languages: Sequence[str], cutoff: float) -> Program:
    """Compile the rules of ``languages``; ``cutoff`` is the least ratio of a garbled word."""
    listening = [rule for rule in rules if rule.language in languages]
    ids: dict[Slot, int] = {}
    usage: Counter[Slot] = Counter()
    for rule in listening:
        for phrase in (*rule.any, *rule.all, *rule.none, *rule.except_):
            usage.update(phrase.slots)
            for slot in phrase.slots:
                ids.setdefault(slot, len(ids))
    compiled: list[CompiledRule] = []
    seeds: dict[int, list[tuple[int, int]]] = {}
    for ordinal, rule in enumerate(listening):
        entry = _compile_rule(rule, ids, usage)
        compiled.append(entry)
        for number, seed in enumerate(entry.seeds):
            seeds.setdefault(seed.slots[seed.anchor], []).append((ordinal, number))
    return Program(
        rules=tuple(compiled),
        vocabulary=Vocabulary(languages, list(ids), cutoff),
        seeds={slot: tuple(pairs) for slot, pairs in seeds.items()},
    )


def _compile_rule(rule: Rule, ids: dict[Slot, int], usage: Counter[Slot]) -> CompiledRule:
    def every(
        phrases: tuple[Phrase, ...], *, excepting: bool = False
    ) -> tuple[CompiledPhrase, ...]:
        return tuple(_compile_phrase(p, rule, ids, usage, excepting=excepting) for p in phrases)

    # Without `any`, the first of `all` starts a hit and the rest must be near.
    seeds, others = (rule.any, rule.all) if rule.any else (rule.all[:1], rule.all[1:])
    return CompiledRule(
        rule=rule,
        seeds=every(seeds),
        others=every(others),
        none=every(rule.none, excepting=True),
        excepted=every(rule.except_, excepting=True),
    )


def _compile_phrase(
    phrase: Phrase, rule: Rule, ids: dict[Slot, int], usage: Counter[Slot], *, excepting: bool
) -> CompiledPhrase:
    def rarity(ordinal: int) -> tuple[bool, bool, int]:
        slot = phrase.slots[ordinal]
        shortest = min(len(alternative.word) for alternative in slot.alternatives)
        return slot.negator, shortest < _SHORT_WORD, usage[slot]

    return CompiledPhrase(
        slots=tuple(ids[slot] for slot in phrase.slots),
        negators=tuple(slot.negator for slot in phrase.slots),
        anchor=min(range(len(phrase.slots)), key=rarity),
        span_words=phrase.span_words,
        any_order=rule.any_order,
        language=rule.language,
        # An exception holds whether negated or not: «не надо, спасибо» / «надо, спасибо».
        ignore_negation=rule.ignore_negation or excepting,
    )
