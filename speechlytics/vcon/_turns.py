"""What was said: messages of a chat, and transcripts on the clock of the call."""

from __future__ import annotations

from typing import Any

from speechlytics.vcon._analysis import CHARACTERS_PER_S, Turn, transcript_turns
from speechlytics.vcon._content import plain_text
from speechlytics.vcon._dialogs import Document, Group
from speechlytics.vcon._document import member


def chat(document: Document, group: Group) -> list[Turn]:
    """Messages as turns; one without a duration lasts until the next."""
    turns: list[Turn] = []
    for index in group.dialogs:
        at, item = document.dialogs[index]
        text = plain_text(item, document.where, at)
        if text is None:
            continue
        start_s = (document.starts[index] - group.start).total_seconds()
        if turns and turns[-1]["end_s"] is None:
            turns[-1]["end_s"] = start_s
        duration_s = member(item, "duration", "number", document.where, at)
        end_s = None if duration_s is None else start_s + duration_s
        speaker = document.speaker(item)
        turns.append({"start_s": start_s, "end_s": end_s, "text": text, "speaker": speaker})
    if turns and turns[-1]["end_s"] is None:
        turns[-1]["end_s"] = turns[-1]["start_s"] + len(turns[-1]["text"]) / CHARACTERS_PER_S
    return turns


def transcript(document: Document, group: Group) -> tuple[list[Turn], str | None, str]:
    """Turns of every transcript of these dialogs, on the clock of the call."""
    turns: list[Turn] = []
    language, times = None, "stated"
    for at, item in document.analyses:
        about = item.get("dialog", group.dialogs)
        indices = about if isinstance(about, list) else [about]
        if item.get("type") != "transcript" or not set(indices) & set(group.dialogs):
            continue
        index = next(i for i in indices if i in group.dialogs)
        dialog_at, dialog = document.dialogs[index]
        duration_s = member(dialog, "duration", "number", document.where, dialog_at)
        found, told, clock = transcript_turns(item, document.where, at, duration_s)
        offset_s = (document.starts[index] - group.start).total_seconds()
        turns += [_placed(document, turn, dialog, offset_s) for turn in found]
        language = language or told
        times = clock if clock == "estimated" else times
    return sorted(turns, key=lambda t: float(t["start_s"])), language, times


def _placed(document: Document, turn: Turn, dialog: dict[str, Any], offset_s: float) -> Turn:
    placed = turn | {
        "start_s": turn["start_s"] + offset_s,
        "end_s": turn["end_s"] + offset_s,
        "speaker": _who(document, turn, dialog),
    }
    if offset_s and isinstance(turn.get("words"), list):
        placed["words"] = [
            {**w, "start": w["start"] + offset_s, "end": w["end"] + offset_s}
            for w in turn["words"]
            if isinstance(w, dict) and "start" in w and "end" in w
        ]
    return placed


def _who(document: Document, turn: Turn, dialog: dict[str, Any]) -> str | None:
    """Speaker of a turn as a role, or as the label that the tool gave."""
    label = turn.get("speaker", turn.get("role"))
    party = document.party(turn.get("party"))
    if party is None and isinstance(label, str):
        party = next((p for p in document.parties if label in p.labels), None)
    if party is None and isinstance(dialog.get("parties"), int):
        party = document.party(dialog["parties"])
    channels = dialog.get("parties")
    if party is None and isinstance(channels, list) and isinstance(turn.get("channel"), int):
        inside = 0 <= turn["channel"] < len(channels)
        return document.role(channels[turn["channel"]]) if inside else None
    if party is not None and party.role != "unknown":
        return party.role
    return label if isinstance(label, str) else None
