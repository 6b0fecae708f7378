"""Labelled calls: what really was said and what really happened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechlytics.errors import ImportRefused
from speechlytics.phrases import TurnTruth
from speechlytics.records import Interval, Role, SilenceKind

# Names that labels use for categories of ours.
_CATEGORIES = {"need_to_clarify": "hold_announcement", "profanity_or_insult": "profanity"}
_HOLDS = frozenset({"hold_music", "hold_silence"})
PHRASES_FILE = "phrase_truth.jsonl"


@dataclass(frozen=True, slots=True)
class TrueTurn:
    """One turn: who spoke when, and the words."""

    role: Role
    span: Interval
    text: str


@dataclass(frozen=True, slots=True)
class TrueSilence:
    """A labelled silence. ``hold``: music, or silence that was announced as a hold."""

    span: Interval
    kind: SilenceKind
    hold: bool
    harmful: bool | None


@dataclass(frozen=True, slots=True)
class TrueCall:
    """A labelled call; ``None`` where the labels say nothing.

    ``unresolved``: labelled ``no`` or ``partly`` resolved at the end of this call.
    """

    call_id: str
    language: str
    turns: tuple[TrueTurn, ...]
    silences: tuple[TrueSilence, ...] | None
    unresolved: bool | None
    repeat: bool | None
    topics: frozenset[str]
    phrases: TurnTruth | None


def read_truth(path: Path, phrases: Path | None = None) -> tuple[TrueCall, ...]:
    """Read labelled calls, one JSON object per line.

    Args:
        path: Call metadata, ``turns``, ``silences``, ``labels`` (see ``docs/insight.md``).
        phrases: Labelled phrases; by default ``phrase_truth.jsonl`` beside ``path``, if there,
            else what the turns themselves name (``phrases``, ``may``).

    Raises:
        ImportRefused: a file cannot be read, or a line is not what is expected; file and line.
    """
    beside = path.with_name(PHRASES_FILE)
    labelled = phrases or (beside if beside.exists() and beside != path else None)
    by_call = {row["call_id"]: _phrases(row) for _, row in _rows(labelled)} if labelled else {}
    calls = []
    for where, row in _rows(path):
        try:
            calls.append(_call(row, by_call.get(row["call_id"])))
        except (KeyError, TypeError, ValueError) as error:
            raise ImportRefused(f"{where}: not a labelled call: {error!r}") from error
    return tuple(calls)


def _rows(path: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path}: cannot be read ({error})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise ImportRefused(f"{path}:{number}: not valid JSON: {error}") from error
        if not isinstance(row, dict) or "call_id" not in row:
            raise ImportRefused(f"{path}:{number}: expected an object with a call_id")
        rows.append((f"{path}:{number}", row))
    return rows


def _call(row: Mapping[str, Any], phrases: TurnTruth | None) -> TrueCall:
    labels = row.get("labels") or {}
    resolved = labels.get("resolved", row.get("resolved"))
    silences = row.get("silences")
    return TrueCall(
        call_id=row["call_id"],
        language=row.get("language") or "unknown",
        turns=tuple(
            TrueTurn(turn.get("speaker", turn.get("role")), _span(turn), turn["text"])
            for turn in row.get("turns", ())
        ),
        silences=None if silences is None else tuple(_silence(s) for s in silences),
        unresolved=None if resolved is None else resolved in {"no", "partly"},
        repeat=labels.get("repeat_contact"),
        topics=frozenset(labels.get("intents") or ()),
        phrases=phrases or _inline_phrases(row),
    )


def _span(entry: Mapping[str, Any]) -> Interval:
    if "start_ms" in entry:
        return Interval(entry["start_ms"], entry["end_ms"])
    return Interval(round(entry["start_s"] * 1000), round(entry["end_s"] * 1000))


def _silence(entry: Mapping[str, Any]) -> TrueSilence:
    kind = entry["kind"]
    return TrueSilence(
        span=_span(entry),
        kind="hold_music" if kind == "hold_music" else "silence",
        hold=kind in _HOLDS,
        harmful=entry.get("harmful"),
    )


def _phrases(row: Mapping[str, Any]) -> TurnTruth:
    groups: dict[object, tuple[str, set[int]]] = {}
    for ordinal, hit in enumerate(row.get("hits", ())):
        key = ("split", hit["split_group"]) if "split_group" in hit else ("one", ordinal)
        groups.setdefault(key, (_category(hit), set()))[1].add(hit["turn"])
    return TurnTruth(
        hits=tuple((category, frozenset(turns)) for category, turns in groups.values()),
        distractors=_pairs(row.get("distractors", ())),
        optional=_pairs(row.get("optional", ())),
    )


def _inline_phrases(row: Mapping[str, Any]) -> TurnTruth | None:
    """Categories written into the turns: ``phrases`` must fire, ``may`` counts neither way."""
    turns = list(enumerate(row.get("turns", ())))
    if not any("phrases" in turn for _, turn in turns):
        return None
    return TurnTruth(
        hits=tuple(
            (name, frozenset({index})) for index, turn in turns for name in turn.get("phrases", ())
        ),
        distractors=frozenset(),
        optional=frozenset((name, index) for index, turn in turns for name in turn.get("may", ())),
    )


def _pairs(entries: Any) -> frozenset[tuple[str, int]]:
    return frozenset((_category(entry), entry["turn"]) for entry in entries)


def _category(entry: Mapping[str, Any]) -> str:
    name = str(entry["intent"])
    return _CATEGORIES.get(name, name)
