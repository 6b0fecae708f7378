"""The rules that listen to one group of languages, compiled against one vocabulary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import itemgetter

from speechlytics.phrases._find import CompiledPhrase
from speechlytics.phrases._grammar import Phrase, Slot
from speechlytics.phrases._heard import mask_of
from speechlytics.phrases._rules import Rule
from speechlytics.phrases._vocabulary import Vocabulary
from speechlytics.records import Role

_PLACE = itemgetter(0)
_SHORT_WORD = 4  # shorter words are frequent in every language: poor anchors


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """A rule with its phrases as slot ids; ``seeds`` are the phrases that start a hit."""

    rule: Rule
    seeds: tuple[CompiledPhrase, ...]
    others: tuple[CompiledPhrase, ...]
    none: tuple[CompiledPhrase, ...]
    excepted: tuple[CompiledPhrase, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """A phrase that may start a hit of the rule with this ordinal."""

    rule: int
    phrase: CompiledPhrase


@dataclass(frozen=True, slots=True, eq=False)
class Anchors:
    """Phrases anchored on one word, by the other word that they need most.

    Attributes:
        alone: Phrases without another word.
        needed: Bits of all words that the others need; most sentences have none.
        by_needed: The others by slot, each with its place in the order of trying.
    """

    alone: list[tuple[int, Seed]]
    needed: int
    by_needed: dict[int | None, list[tuple[int, Seed]]]

    def among(self, said: int) -> list[tuple[int, Seed]]:
        """Phrases all of whose words are among the bits ``said``, in the order of trying."""
        left = said & self.needed
        chosen = self.alone.copy()
        while left:
            bit = left.bit_length() - 1
            left ^= 1 << bit
            for entry in self.by_needed[bit]:
                mask = entry[1].phrase.mask
                if said & mask == mask:
                    chosen.append(entry)
        chosen.sort(key=_PLACE)
        return chosen


@dataclass(frozen=True, slots=True)
class Program:
    """Rules in the order of evaluation, and which of them a word may set off.

    ``seeds`` maps a slot to the phrases anchored on it.
    """

    rules: tuple[CompiledRule, ...]
    vocabulary: Vocabulary
    seeds: dict[int, tuple[Seed, ...]]
    _by_role: dict[Role, Anchored] = field(default_factory=dict)

    def seeds_of(self, role: Role) -> Anchored:
        """Phrases that listen to a role, by the word on which they are anchored."""
        anchored = self._by_role.get(role)
        if anchored is None:
            anchored = self._by_role[role] = Anchored(self, role)
        return anchored


NO_ANCHORS = Anchors([], 0, {})


class Anchored(dict[str, Anchors | None]):
    """Word → phrases anchored on it that listen to a role; worked out at the first look-up."""

    __slots__ = ("_program", "_role")

    def __init__(self, program: Program, role: Role) -> None:
        self._program, self._role = program, role

    def __missing__(self, word: str) -> Anchors | None:
        program = self._program
        seeds = [
            seed
            for slot in sorted(program.vocabulary.slots_of.get(word, ()))
            for seed in program.seeds.get(slot, ())
            if listens(program.rules[seed.rule].rule, self._role)
        ]
        found = self[word] = _anchors(seeds) if seeds else None
        return found


def _anchors(seeds: Sequence[Seed]) -> Anchors:
    by_needed: dict[int | None, list[tuple[int, Seed]]] = {}
    for entry in enumerate(seeds):
        by_needed.setdefault(entry[1].phrase.needed, []).append(entry)
    alone = by_needed.pop(None, [])
    return Anchors(
        alone, needed=mask_of(bit for bit in by_needed if bit is not None), by_needed=by_needed
    )


def listens(rule: Rule, role: Role) -> bool:
    """Whether a rule hears a role; ``unknown`` speech only if it says ``any_role_ok``."""
    if rule.role in ("any", role):
        return True
    return role == "unknown" and rule.any_role_ok


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
    seeds: dict[int, list[Seed]] = {}
    for ordinal, rule in enumerate(listening):
        entry = _compile_rule(rule, ids, usage)
        compiled.append(entry)
        for seed in entry.seeds:
            seeds.setdefault(seed.slots[seed.anchor], []).append(Seed(ordinal, seed))
    return Program(
        rules=tuple(compiled),
        vocabulary=Vocabulary(languages, list(ids), cutoff),
        seeds={slot: tuple(anchored) for slot, anchored in seeds.items()},
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
    def rarity(ordinal: int) -> tuple[bool, bool, bool, int]:
        slot = phrase.slots[ordinal]
        any_verb = any(alternative.kind == "grammemes" for alternative in slot.alternatives)
        shortest = min(len(alternative.word) for alternative in slot.alternatives)
        return slot.negator, any_verb, shortest < _SHORT_WORD, usage[slot]

    slots = tuple(ids[slot] for slot in phrase.slots)
    by_rarity = sorted(range(len(slots)), key=rarity)
    anchor = slots[by_rarity[0]]
    return CompiledPhrase(
        slots=slots,
        mask=mask_of(slots),
        negators=tuple(slot.negator for slot in phrase.slots),
        anchor=by_rarity[0],
        needed=next((slots[at] for at in by_rarity if slots[at] != anchor), None),
        span_words=phrase.span_words,
        any_order=rule.any_order,
        language=rule.language,
        # An exception holds whether negated or not: «не надо, спасибо» / «надо, спасибо».
        ignore_negation=rule.ignore_negation or excepting,
    )
