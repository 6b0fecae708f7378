"""Pack tables → rules: phrases parsed, references resolved, impossible demands refused."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, Literal

import msgspec

from speechlytics.phrases._grammar import Phrase, PhraseProblem, parse_phrase
from speechlytics.phrases._languages import LANGUAGES
from speechlytics.phrases._rules import Condition, ConditionTable, Problem, Rule, RuleTable

_ID = re.compile(r"[a-z0-9][a-z0-9_.-]*")
_CATEGORY = re.compile(r"[a-z][a-z0-9_]*")
_CONDITION_KEYS = ("after", "before", "not_after", "not_before")


@dataclass(frozen=True, slots=True)
class PackSource:
    """One pack file, read but not yet understood."""

    path: Path
    name: str
    sha256: str
    language: str
    lists: dict[str, tuple[str, ...]]
    rules: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Entry:
    source: PackSource
    table: RuleTable


def compile_packs(sources: Sequence[PackSource], problems: list[Problem]) -> tuple[Rule, ...]:
    """Compile all rules; what is wrong is appended to ``problems`` and left out."""
    entries = _unique([entry for s in sources for entry in _tables(s, problems)], problems)
    names = {entry.table.id for entry in entries}
    by_category: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        by_category[entry.table.category].add(entry.table.id)
    rules = {
        entry.table.id: rule
        for entry in entries
        if (rule := _rule(entry, names, by_category, problems)) is not None
    }
    return _ordered(rules, {e.table.id: e.source.path for e in entries}, problems)


def _tables(source: PackSource, problems: list[Problem]) -> list[_Entry]:
    entries: list[_Entry] = []
    for ordinal, raw in enumerate(source.rules, 1):
        name = str(raw.get("id", f"#{ordinal}"))
        try:
            table = msgspec.convert(raw, RuleTable)
        except msgspec.ValidationError as error:
            message = f"{error}; see docs/rules.md for the keys"
            problems.append(Problem(source.path, name, None, message))
            continue
        entries.append(_Entry(source, table))
    return entries


def _unique(entries: list[_Entry], problems: list[Problem]) -> list[_Entry]:
    first: dict[str, _Entry] = {}
    for entry in entries:
        other = first.setdefault(entry.table.id, entry)
        if other is not entry:
            message = f"is already the id of a rule in {other.source.path}; choose another"
            problems.append(Problem(entry.source.path, entry.table.id, "id", message))
    return list(first.values())


def _rule(
    entry: _Entry, names: set[str], by_category: dict[str, set[str]], problems: list[Problem]
) -> Rule | None:
    source, table = entry.source, entry.table
    before = len(problems)

    def refuse(key: str, message: str) -> None:
        problems.append(Problem(source.path, table.id, key, message))

    language = table.language or source.language
    for key, message in _faults(table, language):
        refuse(key, message)
    phrases: dict[str, tuple[Phrase, ...]] = {}
    for key in ("any", "all", "none", "except"):
        phrases[key] = tuple(_phrases(entry, key, language, refuse))
    conditions: dict[str, Condition | None] = {}
    for key in _CONDITION_KEYS:
        try:
            conditions[key] = _condition(key, getattr(table, key), names, by_category)
        except PhraseProblem as error:
            refuse(key, str(error))
    if len(problems) > before:
        return None
    return Rule(
        rule_id=table.id,
        category=table.category,
        role=table.role,
        language=language,
        weight=table.weight,
        pack=source.name,
        pack_sha256=source.sha256,
        any=phrases["any"],
        all=phrases["all"],
        none=phrases["none"],
        except_=phrases["except"],
        # English tells who does what to whom by order, the others by endings.
        any_order=language != "en" if table.any_order is None else table.any_order,
        within_words=table.within_words,
        within_ms=table.within_ms,
        first_ms=table.first_ms,
        last_ms=table.last_ms,
        first_pct=table.first_pct,
        last_pct=table.last_pct,
        after=conditions["after"],
        before=conditions["before"],
        not_after=conditions["not_after"],
        not_before=conditions["not_before"],
        question=table.question,
        ignore_negation=table.ignore_negation,
        any_role_ok=table.any_role_ok,
        emit=table.emit,
        examples=tuple(table.examples),
        counter_examples=tuple(table.counter_examples),
    )


def _faults(table: RuleTable, language: str) -> list[tuple[str, str]]:
    """What only meaning can judge: names, and windows that nothing can satisfy."""
    faults: list[tuple[str, str]] = []
    if not _ID.fullmatch(table.id):
        faults.append(("id", f"{table.id!r}: use a-z, 0-9, '.', '-' and '_' only"))
    if not _CATEGORY.fullmatch(table.category):
        faults.append(("category", f"{table.category!r}: use a-z, 0-9 and '_' only"))
    if language not in LANGUAGES:
        known = ", ".join(LANGUAGES)
        faults.append(("language", f"{language!r} is not one of {known}; set `language`"))
    if not table.any and not table.all:
        faults.append(("any", "no phrase to listen for; give `any` or `all`"))
    for key in ("within_words", "within_ms", "first_ms", "last_ms"):
        value = getattr(table, key)
        if value is not None and value <= 0:
            faults.append((key, f"{value} is an empty window; give a number above 0"))
    for key in ("first_pct", "last_pct"):
        value = getattr(table, key)
        if value is not None and not 0 < value <= 100:
            faults.append((key, f"{value} is not a share of the call; give 0 < n <= 100"))
    if table.first_pct and table.last_pct and table.first_pct + table.last_pct < 100:
        faults.append(("last_pct", "first_pct and last_pct leave no common part of the call"))
    return faults


def _phrases(entry: _Entry, key: str, language: str, refuse: Any) -> list[Phrase]:
    table = entry.table
    written: list[str] = getattr(table, "except_" if key == "except" else key)
    if len(set(written)) < len(written):
        twice = next(phrase for phrase in written if written.count(phrase) > 1)
        refuse(key, f"{twice!r} stands there twice; remove one")
    parsed: list[Phrase] = []
    for phrase in written:
        try:
            parsed.append(
                parse_phrase(
                    phrase,
                    language=language,
                    mode=table.match,
                    lists=entry.source.lists,
                    span_words=table.within_words if key == "any" and not table.all else None,
                )
            )
        except PhraseProblem as error:
            refuse(key, str(error))
    return parsed


def _condition(
    key: str,
    written: str | ConditionTable | None,
    names: set[str],
    by_category: dict[str, set[str]],
) -> Condition | None:
    if written is None:
        return None
    table = _table(written, names) if isinstance(written, str) else written
    edge: Literal["call_start", "call_end"] | None = None
    if table.call_start or table.call_end:
        edge = "call_start" if table.call_start else "call_end"
        if (edge == "call_start") != (key in ("after", "not_after")):
            raise PhraseProblem(f"nothing can stand {key} {edge.replace('_', ' ')}")
    given = [table.rule, table.category, table.silence_s, edge]
    if sum(entry is not None for entry in given) != 1:
        raise PhraseProblem("give exactly one of rule, category, silence_s, call_start, call_end")
    if table.within_ms is not None and table.within_ms <= 0:
        raise PhraseProblem(f"within_ms = {table.within_ms} is an empty window")
    rules = by_category.get(table.category or "", set()) if table.category else {table.rule}
    if (table.rule or table.category) and not rules & names:
        raise PhraseProblem(f"{table.rule or table.category!r} is no rule and no category")
    return Condition(
        rules=frozenset(name for name in rules if name is not None),
        silence_ms=None if table.silence_s is None else round(table.silence_s * 1000),
        edge=edge,
        within_ms=table.within_ms,
        within_turns=table.within_turns,
    )


def _table(name: str, names: set[str]) -> ConditionTable:
    if name in ("call_start", "call_end"):
        return ConditionTable(**{name: True})  # type: ignore[arg-type]  # the two bool fields
    return ConditionTable(rule=name) if name in names else ConditionTable(category=name)


def _ordered(
    rules: dict[str, Rule], files: dict[str, Path], problems: list[Problem]
) -> tuple[Rule, ...]:
    """Dependencies first; rules of a cycle are reported and left out."""
    graph = {
        name: {needed for c in rule.conditions() for needed in c.rules if needed in rules}
        for name, rule in rules.items()
    }
    while True:
        try:
            order = tuple(TopologicalSorter(graph).static_order())
        except CycleError as error:
            cycle: list[str] = error.args[1]
            path = " → ".join(cycle)
            message = f"rules wait for each other: {path}; drop one after/before"
            problems.append(Problem(files[cycle[0]], cycle[0], "after", message))
            graph = {n: needed - set(cycle) for n, needed in graph.items() if n not in cycle}
        else:
            return tuple(rules[name] for name in order)
