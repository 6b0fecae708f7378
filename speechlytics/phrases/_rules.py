"""A rule as the matcher sees it, and a rule as a pack's TOML writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from speechlytics.phrases._grammar import Phrase

RoleName = Literal["agent", "customer", "ivr", "any"]


class ConditionTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``after``, ``before`` and their opposites, written as a table."""

    rule: str | None = None
    category: str | None = None
    silence_s: float | None = None
    call_start: bool = False
    call_end: bool = False
    within_ms: int | None = None
    within_turns: int | None = None


class RuleTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One ``[[rule]]`` of a pack; docs/rules.md explains every key."""

    id: str
    category: str
    role: RoleName = "any"
    any: list[str] = []
    all: list[str] = []
    none: list[str] = []
    except_: list[str] = msgspec.field(name="except", default_factory=list)
    match: Literal["exact", "stem", "fuzzy"] = "fuzzy"
    any_order: bool | None = None
    within_words: int | None = None
    within_ms: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None
    first_pct: float | None = None
    last_pct: float | None = None
    after: str | ConditionTable | None = None
    before: str | ConditionTable | None = None
    not_after: str | ConditionTable | None = None
    not_before: str | ConditionTable | None = None
    question: bool | None = None
    ignore_negation: bool = False
    any_role_ok: bool = False
    emit: bool = True
    weight: float = 0.0
    language: str | None = None
    note: str | None = None
    examples: list[str] = []
    counter_examples: list[str] = []


class PackTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One pack file."""

    language: str | None = None
    title: str | None = None
    words: dict[str, list[str]] = {}
    rule: list[dict[str, Any]] = []


@dataclass(frozen=True, slots=True)
class Condition:
    """What must (or must not) have happened before or after a hit.

    Exactly one of ``rules`` (ids that count), ``silence_ms``, ``edge`` is set.
    """

    rules: frozenset[str] = frozenset()
    silence_ms: int | None = None
    edge: Literal["call_start", "call_end"] | None = None
    within_ms: int | None = None
    within_turns: int | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule whose phrases are parsed and whose references are resolved."""

    rule_id: str
    category: str
    role: RoleName
    language: str
    weight: float
    pack: str
    pack_sha256: str
    any: tuple[Phrase, ...]
    all: tuple[Phrase, ...]
    none: tuple[Phrase, ...]
    except_: tuple[Phrase, ...]
    any_order: bool
    within_words: int | None
    within_ms: int | None
    first_ms: int | None
    last_ms: int | None
    first_pct: float | None
    last_pct: float | None
    after: Condition | None
    before: Condition | None
    not_after: Condition | None
    not_before: Condition | None
    question: bool | None
    ignore_negation: bool
    any_role_ok: bool
    emit: bool
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that are set."""
        every = (self.after, self.before, self.not_after, self.not_before)
        return tuple(condition for condition in every if condition is not None)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong in a pack: where it stands and what to do."""

    file: Path
    rule: str | None
    key: str | None
    message: str

    def __str__(self) -> str:
        rule = f": rule {self.rule!r}" if self.rule else ""
        key = f": {self.key}" if self.key else ""
        return f"{self.file}{rule}{key}: {self.message}"
