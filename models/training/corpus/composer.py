"""From written patterns to sentences: alternatives, slots, computed numbers, composed turns.

A pattern is plain text with `[a|b|]` (one alternative, possibly none) and `{slot}` (an entry of
the language's `[slots]`, or a computed one such as `{digit}` or `{sum}`). Slot entries may hold
alternatives and slots themselves.
"""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

from models.training.corpus.numbers import NumberWords

MAX_WORDS = 15
_ALTERNATIVES = re.compile(r"\[([^\[\]]*)\]")
_SLOT = re.compile(r"\{(\w+)\}")
_SENTENCE_END = ".?!"
_JOINED_SENTENCE = 0.45
_OPENED = 0.55
_TAILED = 0.25
_PATIENCE = 400


@dataclass(frozen=True, slots=True)
class Voice:
    """What one side of the call is made of: openers, joiners, tails, and clauses by subject."""

    openers: tuple[str, ...]
    joiners: tuple[str, ...]
    tails: tuple[str, ...]
    clauses: Mapping[str, tuple[str, ...]]
    held_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Grammar:
    """The written corpus of one language."""

    language: str
    slots: Mapping[str, tuple[str, ...]]
    numbers: NumberWords
    templates: Mapping[str, tuple[str, ...]]
    held_out: tuple[str, ...]
    customer: Voice
    agent: Voice


@lru_cache(maxsize=8)
def load_grammar(language: str) -> Grammar:
    """Reads `<language>.toml` of this package."""
    path = files("models.training.corpus") / f"{language}.toml"
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    natural = table["natural"]
    return Grammar(
        language=language,
        slots={name: _choices(text) for name, text in table["slots"].items()},
        numbers=NumberWords.parse(table["numbers"]),
        templates={name: _lines(text) for name, text in table["templates"].items()},
        held_out=_lines(table["held_out"]["templates"]),
        customer=_voice(natural["customer"]),
        agent=_voice(natural["agent"]),
    )


def _voice(table: Mapping[str, str]) -> Voice:
    own = {"opener", "joiner", "tail", "held_out"}
    return Voice(
        openers=_choices(table["opener"]),
        joiners=_choices(table["joiner"]),
        tails=_choices(table["tail"]),
        clauses={name: _lines(text) for name, text in table.items() if name not in own},
        held_out=_lines(table["held_out"]),
    )


def _choices(text: str) -> tuple[str, ...]:
    parts: list[str] = []
    depth, begin = 0, 0
    for index, char in enumerate(text):
        depth += (char == "[") - (char == "]")
        if char == "|" and depth == 0:
            parts.append(text[begin:index])
            begin = index + 1
    return tuple(part.strip() for part in [*parts, text[begin:]])


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())


class Composer:
    """Draws sentences and turns of one language; the same random source gives the same text."""

    def __init__(self, grammar: Grammar, rng: random.Random) -> None:
        self._grammar = grammar
        self._rng = rng
        self._templates = [t for group in grammar.templates.values() for t in group]
        words = grammar.numbers
        self._computed: dict[str, Callable[[], str]] = {
            "digit": lambda: words.cardinal(rng.randint(0, 9)),
            "digits3": lambda: self._digits(3),
            "digits4": lambda: self._digits(4),
            "digits_pairs": self._pairs,
            "two_digits": lambda: words.cardinal(rng.randint(10, 99)),
            "number": lambda: words.cardinal(rng.randint(1, 999)),
            "number_plain": lambda: words.cardinal(rng.randint(18, 90)),
            "house": lambda: words.cardinal(rng.randint(1, 150)),
            "flat": lambda: words.cardinal(rng.randint(1, 250)),
            "phone": self._phone,
            "sum": lambda: words.money(self._amount()),
        }

    def template(self) -> str:
        """A sentence from a training template."""
        return self.fill(self._rng.choice(self._templates))

    def held_out_template(self) -> str:
        """A sentence from a template that training never sees."""
        return self.fill(self._rng.choice(self._grammar.held_out))

    def turn(self) -> str:
        """A dialogue-like turn of agent or customer, of training clauses and templates."""
        rng = self._rng
        if rng.random() < 0.2:
            return f"{self.template()} {self.template()}"
        voice = self._side()
        clauses = voice.clauses[rng.choice(list(voice.clauses))]
        return self._compose(voice, rng.choice(clauses), clauses)

    def held_out_turn(self) -> str:
        """A turn around a clause that training never sees."""
        voice = self._side()
        clauses = voice.clauses[self._rng.choice(list(voice.clauses))]
        return self._compose(voice, self._rng.choice(voice.held_out), clauses)

    def fill(self, pattern: str) -> str:
        """Resolves alternatives and slots of a pattern and tidies spaces and capitals."""
        return tidy(self._resolved(pattern))

    def _side(self) -> Voice:
        grammar = self._grammar
        return grammar.customer if self._rng.random() < 0.55 else grammar.agent

    def _compose(self, voice: Voice, clause: str, others: tuple[str, ...]) -> str:
        rng = self._rng
        text = clause
        if rng.random() < _OPENED:
            text = f"{rng.choice(voice.openers)} {text}"
        if rng.random() < _JOINED_SENTENCE:
            every = [c for group in voice.clauses.values() for c in group]
            second = rng.choice(others if rng.random() < 0.7 else every)
            if second != clause:
                text = f"{text}{rng.choice(voice.joiners)} {second}"
        text += rng.choice((".", ".", ".", "?"))
        if rng.random() < _TAILED:
            text = f"{text} {rng.choice(voice.tails)}"
        return self.fill(text)

    def _resolved(self, pattern: str) -> str:
        while True:
            found = _ALTERNATIVES.search(pattern)
            if found is not None:
                choice = self._rng.choice(found.group(1).split("|"))
            else:
                found = _SLOT.search(pattern)
                if found is None:
                    return pattern
                choice = self._slot(found.group(1))
            pattern = pattern[: found.start()] + choice + pattern[found.end() :]

    def _slot(self, name: str) -> str:
        computed = self._computed.get(name)
        return computed() if computed else self._rng.choice(self._grammar.slots[name])

    def _digits(self, count: int) -> str:
        words = self._grammar.numbers
        return " ".join(words.cardinal(self._rng.randint(0, 9)) for _ in range(count))

    def _pairs(self) -> str:
        words, rng = self._grammar.numbers, self._rng
        pairs = rng.choice((2, 2, 3))
        return ", ".join(words.cardinal(rng.randint(10, 99)) for _ in range(pairs))

    def _phone(self) -> str:
        words, rng = self._grammar.numbers, self._rng
        groups = [rng.randint(900, 999), rng.randint(100, 999)]
        groups += [rng.randint(10, 99), rng.randint(10, 99)]
        return ", ".join(words.cardinal(group) for group in groups)

    def _amount(self) -> int:
        rng = self._rng
        return rng.choice(
            (rng.randint(1, 99), rng.randint(1, 40) * 50, rng.randint(10, 999), 990, 1500)
        )


def tidy(text: str) -> str:
    """One space between words, none before a mark, no doubled marks, capitals after full stops.

    The Hungarian article written "a(z)" becomes "az" before a vowel and "a" elsewhere.
    """
    text = re.sub(r"(?i)\b(a)\(z\)(?= [aáeéiíoóöőuúüű])", r"\1z", text)
    text = re.sub(r"(?i)\b(a)\(z\)", r"\1", text)
    text = re.sub(r"\s+", " ", text).strip(" ,")
    text = re.sub(r" ([,.?!])", r"\1", text)
    text = re.sub(r",+", ",", text)
    text = re.sub(r"[,.]*([?!])[.?!]*", r"\1", text)
    text = re.sub(r"[,.]*\.", ".", text)
    if text[-1:] not in _SENTENCE_END:
        text += "."
    return re.sub(r"(^|[.?!] )(\w)", lambda found: found.group(1) + found.group(2).upper(), text)


def normalised(text: str) -> str:
    """Lower case without punctuation: the form in which barred texts are compared."""
    return " ".join(re.findall(r"[\w'-]+", text.lower()))


def distinct(draw: Callable[[], str], count: int, barred: frozenset[str]) -> Iterator[str]:
    """Yields up to `count` different short-enough sentences of `draw`.

    None of them is in `barred`, which holds normalised text. Ends early when 400 draws in a row
    bring nothing new.
    """
    seen: set[str] = set()
    idle = 0
    while len(seen) < count and idle < _PATIENCE:
        text = draw()
        idle += 1
        if text in seen or normalised(text) in barred or len(text.split()) > MAX_WORDS:
            continue
        seen.add(text)
        idle = 0
        yield text
