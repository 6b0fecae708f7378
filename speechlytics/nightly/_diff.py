"""What a changed pack would gain and lose over the stored calls, before it is used."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from speechlytics.config import PhrasesConfig
from speechlytics.phrases import CallText, Matcher, PackSet
from speechlytics.store import Store


@dataclass(frozen=True, slots=True)
class RuleChange:
    """Calls in which a rule would fire anew, and calls in which it would no longer."""

    rule_id: str
    before: int
    after: int
    gained: tuple[str, ...]
    lost: tuple[str, ...]


@dataclass(slots=True)
class _Fired:
    before: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    after: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


def rules_diff(
    store: Store,
    packs: PackSet,
    config: PhrasesConfig,
    days: Iterable[date] | None = None,
) -> tuple[RuleChange, ...]:
    """Compare stored hits with what ``packs`` would find in the stored segments.

    Rules whose calls stay the same are left out. Nothing is written.
    """
    matcher = Matcher(packs, config)
    fired = _Fired()
    for day in store.days() if days is None else days:
        rows = store.read(
            "calls", days=[day], columns=["call_id", "duration_ms", "language", "transcript_source"]
        ).to_pylist()
        heard = [row for row in rows if row["transcript_source"] is not None]
        segments, silences = store.read_segments(day), store.read_silences(day)
        texts = [
            CallText(
                segments.get(row["call_id"], ()),
                row["duration_ms"],
                silences.get(row["call_id"], ()),
                row["language"],
            )
            for row in heard
        ]
        for row, hits in zip(heard, matcher.match_many(texts), strict=True):
            for hit in hits:
                fired.after[hit.rule_id].add(row["call_id"])
        stored = store.read("phrase_hits", days=[day], columns=["call_id", "rule_id"])
        for call_id, rule_id in zip(*(stored.column(n).to_pylist() for n in (0, 1)), strict=True):
            fired.before[rule_id].add(call_id)
    return tuple(_changes(fired))


def _changes(fired: _Fired) -> list[RuleChange]:
    changes = []
    for rule_id in sorted(fired.before.keys() | fired.after.keys()):
        before, after = fired.before[rule_id], fired.after[rule_id]
        if before != after:
            changes.append(
                RuleChange(
                    rule_id,
                    len(before),
                    len(after),
                    tuple(sorted(after - before)),
                    tuple(sorted(before - after)),
                )
            )
    return changes


def calls_changed(changes: Iterable[RuleChange]) -> Counter[str]:
    """How many rules change per call."""
    return Counter(call_id for c in changes for call_id in (*c.gained, *c.lost))
