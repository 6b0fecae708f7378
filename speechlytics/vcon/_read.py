"""vCon → conversations: metadata and turns as ``import transcripts`` has them, and recordings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from speechlytics.errors import ImportRefused
from speechlytics.records import Role, RoleSource
from speechlytics.vcon import _own
from speechlytics.vcon._analysis import CHARACTERS_PER_S, Turn, transcript_turns
from speechlytics.vcon._content import Sound, inline_bytes, plain_text, sound
from speechlytics.vcon._document import documents, member, objects
from speechlytics.vcon._parties import Party, read_parties

SAME_MOMENT_S = 1.0  # recordings that start so near to each other are legs of one call
_NUMBER = re.compile(r"\d[\d\s().\-]{4,}\d")  # free text with one may tell who called


@dataclass(frozen=True, slots=True)
class Conversation:
    """One call of a vCon.

    Attributes:
        where: File and JSON path, for messages.
        raw: Metadata, ``turns`` and ``language`` in the format of ``import transcripts``.
        sounds: Its recording: one file, or one per leg; none for a text conversation.
        roles: Role per channel of the recording.
        role_source: Whether the vCon told them.
        stored: The call as a store had it, where speechlytics wrote the vCon.
    """

    where: str
    raw: Mapping[str, Any]
    sounds: tuple[Sound, ...] = ()
    roles: tuple[Role, ...] = ()
    role_source: RoleSource = "none"
    stored: _own.StoredCall | None = None


@dataclass(slots=True)
class _Group:
    """Dialogs of one call, by their index."""

    start: datetime
    dialogs: list[int] = field(default_factory=list)


def read_vcons(
    path: Path, *, speakers: Mapping[str, Role] | None = None
) -> Iterator[Conversation | ImportRefused]:
    """Read the calls of a file, one vCon or (``.jsonl``) one a line; gzip is undone.

    A vCon is one call, unless it holds recordings that start at different times: then each of
    them is a call ``UUID-1``, ``UUID-2``, … Text dialogs are the turns of a chat. A message
    without a duration lasts until the next one: nobody is silent in a chat.

    Args:
        path: The file.
        speakers: Role by a party's name or address.

    Yields:
        A conversation, or in its place the reason why it was refused: file, JSON path, what is
        wrong.

    Raises:
        ImportRefused: the file cannot be read at all.
    """
    for found in documents(path):
        if isinstance(found, ImportRefused):
            yield found
            continue
        where, raw = found
        try:
            yield from _Reader(where, raw, speakers or {}).conversations()
        except ImportRefused as refused:
            yield refused


class _Reader:
    def __init__(self, where: str, raw: dict[str, Any], speakers: Mapping[str, Role]) -> None:
        self.where, self.raw = where, raw
        self.parties = read_parties(raw, where, speakers)
        self.dialogs = objects(raw, "dialog", where)
        self.analyses = objects(raw, "analysis", where)
        self.starts = [self._start(item, at) for at, item in self.dialogs]

    def conversations(self) -> Iterator[Conversation | ImportRefused]:
        own = self._own()
        if own is not None:
            yield own
            return
        groups = self._groups()
        for number, group in enumerate(groups, 1):
            suffix = f"-{number}" if len(groups) > 1 else ""
            try:
                yield self._conversation(group, f"{self.raw['uuid']}{suffix}")
            except ImportRefused as refused:
                yield refused

    def _start(self, item: dict[str, Any], at: str) -> datetime:
        text = member(item, "start", str, self.where, at)
        if text is None and item.get("type") == "transfer":
            text = self.raw.get("created_at")
        try:
            moment = datetime.fromisoformat(text or "")
        except (ValueError, TypeError) as error:
            raise ImportRefused(
                f"{self.where}: {at}.start = {text!r} is not an RFC 3339 time"
            ) from error
        if moment.tzinfo is None:
            raise ImportRefused(f"{self.where}: {at}.start = {text!r} has no offset from UTC")
        return moment

    def _groups(self) -> list[_Group]:
        """Dialogs that are one call: legs by their start, and all texts together."""
        groups: list[_Group] = []
        texts: _Group | None = None
        unheard: _Group | None = None
        for index in sorted(range(len(self.dialogs)), key=lambda i: self.starts[i]):
            at, item = self.dialogs[index]
            start, kind = self.starts[index], item.get("type")
            if kind == "recording":
                last = groups[-1] if groups else None
                if last is None or not self._is_leg(last, index):
                    groups.append(last := _Group(start))
                last.dialogs.append(index)
            elif kind == "text":
                texts = texts or _Group(start)
                texts.dialogs.append(index)
            elif kind == "incomplete":
                unheard = unheard or _Group(start)
                unheard.dialogs.append(index)
            elif kind not in ("transfer", "recording-set"):
                raise ImportRefused(f"{self.where}: {at}.type = {kind!r} is not known")
        if texts is not None:
            groups.append(texts)
        if not groups and unheard is not None:
            groups.append(unheard)
        if not groups:
            raise ImportRefused(f"{self.where}: $.dialog: holds no recording and no text")
        return groups

    def _is_leg(self, group: _Group, index: int) -> bool:
        near = abs((self.starts[index] - group.start).total_seconds()) <= SAME_MOMENT_S
        return near and all(
            isinstance(self.dialogs[i][1].get("parties"), int) for i in (*group.dialogs, index)
        )

    def _conversation(self, group: _Group, call_id: str) -> Conversation:
        first_at, first = self.dialogs[group.dialogs[0]]
        where = f"{self.where}: {first_at}"
        metadata = self._metadata(group, call_id)
        if first["type"] == "incomplete":
            metadata |= {"answered": False, "turns": []}
            return Conversation(where, metadata)
        if first["type"] == "text":
            turns = self._chat(group)
            if not turns:
                raise ImportRefused(f"{where}: no message has a text (redacted?)")
            return Conversation(where, metadata | {"turns": turns})
        sounds = [sound(self.dialogs[i][1], self.where, self.dialogs[i][0]) for i in group.dialogs]
        heard = tuple(s for s in sounds if s is not None)
        turns, language, times = self._transcript(group)
        if len(heard) < len(sounds) and not turns:
            raise ImportRefused(f"{where}: has neither body, url nor a transcript (redacted?)")
        if times == "estimated" and heard:
            turns = []  # times are measured where there is sound
        if times == "estimated" and turns:
            metadata["times"] = times
        if language is not None:
            metadata["language"] = language
        roles = self._channel_roles(group)
        known: RoleSource = "metadata" if set(roles) - {"unknown"} else "none"
        sounds_known = heard if len(heard) == len(sounds) else ()
        return Conversation(where, metadata | {"turns": turns}, sounds_known, roles, known)

    def _channel_roles(self, group: _Group) -> tuple[Role, ...]:
        """Role per channel: of a leg its party's, else as ``parties`` lists them by channel."""
        listed = [self.dialogs[i][1].get("parties") for i in group.dialogs]
        channels = listed if len(listed) > 1 or isinstance(listed[0], int) else listed[0]
        if not isinstance(channels, list):
            channels = [None] * len(group.dialogs)
        return tuple(self._role(channel) for channel in channels)

    def _role(self, channel: object) -> Role:
        """A channel's role; ``unknown`` for one that several parties share."""
        index = channel[0] if isinstance(channel, list) and len(channel) == 1 else channel
        party = self._party(index)
        return "unknown" if party is None else party.role

    def _party(self, index: object) -> Party | None:
        if not isinstance(index, int) or isinstance(index, bool):
            return None
        return self.parties[index] if 0 <= index < len(self.parties) else None

    def _chat(self, group: _Group) -> list[Turn]:
        turns: list[Turn] = []
        for index in group.dialogs:
            at, item = self.dialogs[index]
            text = plain_text(item, self.where, at)
            if text is None:
                continue
            start_s = (self.starts[index] - group.start).total_seconds()
            if turns and turns[-1]["end_s"] is None:
                turns[-1]["end_s"] = start_s
            duration_s = member(item, "duration", "number", self.where, at)
            end_s = None if duration_s is None else start_s + duration_s
            speaker = self._speaker(item)
            turns.append({"start_s": start_s, "end_s": end_s, "text": text, "speaker": speaker})
        if turns and turns[-1]["end_s"] is None:
            turns[-1]["end_s"] = turns[-1]["start_s"] + len(turns[-1]["text"]) / CHARACTERS_PER_S
        return turns

    def _speaker(self, item: dict[str, Any]) -> Role:
        """Who wrote a message: the originator, else the first party."""
        parties = item.get("parties")
        first = parties[0] if isinstance(parties, list) and parties else parties
        return self._role(item.get("originator", first))

    def _transcript(self, group: _Group) -> tuple[list[Turn], str | None, str]:
        """Turns of every transcript of these dialogs, on the clock of the call."""
        turns: list[Turn] = []
        language, times = None, "stated"
        for at, item in self.analyses:
            about = item.get("dialog", group.dialogs)
            indices = about if isinstance(about, list) else [about]
            if item.get("type") != "transcript" or not set(indices) & set(group.dialogs):
                continue
            index = next(i for i in indices if i in group.dialogs)
            dialog_at, dialog = self.dialogs[index]
            duration_s = member(dialog, "duration", "number", self.where, dialog_at)
            found, told, clock = transcript_turns(item, self.where, at, duration_s)
            offset_s = (self.starts[index] - group.start).total_seconds()
            turns += [self._placed(turn, dialog, offset_s) for turn in found]
            language = language or told
            times = clock if clock == "estimated" else times
        return sorted(turns, key=lambda t: float(t["start_s"])), language, times

    def _placed(self, turn: Turn, dialog: dict[str, Any], offset_s: float) -> Turn:
        placed = turn | {
            "start_s": turn["start_s"] + offset_s,
            "end_s": turn["end_s"] + offset_s,
            "speaker": self._who(turn, dialog),
        }
        if offset_s and isinstance(turn.get("words"), list):
            placed["words"] = [
                {**w, "start": w["start"] + offset_s, "end": w["end"] + offset_s}
                for w in turn["words"]
                if isinstance(w, dict) and "start" in w and "end" in w
            ]
        return placed

    def _who(self, turn: Turn, dialog: dict[str, Any]) -> str | None:
        """Speaker of a turn as a role, or as the label that the tool gave."""
        label = turn.get("speaker", turn.get("role"))
        party = self._party(turn.get("party"))
        if party is None and isinstance(label, str):
            party = next((p for p in self.parties if label in p.labels), None)
        if party is None and isinstance(dialog.get("parties"), int):
            party = self._party(dialog["parties"])
        channels = dialog.get("parties")
        if party is None and isinstance(channels, list) and isinstance(turn.get("channel"), int):
            inside = 0 <= turn["channel"] < len(channels)
            return self._role(channels[turn["channel"]]) if inside else None
        if party is not None and party.role != "unknown":
            return party.role
        return label if isinstance(label, str) else None

    def _metadata(self, group: _Group, call_id: str) -> dict[str, Any]:
        indices = self._parties_of(group)
        customer = next((p for p in indices if p.role == "customer"), None)
        agent = next((p for p in indices if p.role == "agent"), None)
        metadata: dict[str, Any] = {
            "call_id": call_id,
            "started_at": group.start.isoformat(),
            "direction": self._direction(group),
            "customer_id": customer.identity if customer else None,
            "agent_id": (agent.name or agent.identity) if agent else None,
            "team": agent.dept if agent else None,
            "duration_s": self._duration_s(group),
            "queue": self._said(group, "skill"),
            "transferred": True if self._was_transferred(group) else None,
            "application": self._said(group, "application"),
            "campaign": self._said(group, "campaign"),
            "attachments": self._attachments(),
        }
        subject = self.raw.get("subject")
        if isinstance(subject, str) and not _NUMBER.search(subject):
            metadata["subject"] = subject
        for name in ("redacted", "amended", "appended"):
            if self.raw.get(name):
                metadata[f"vcon_{name}"] = str(self.raw[name].get("type") or True)
        return {key: value for key, value in metadata.items() if value not in (None, [])}

    def _parties_of(self, group: _Group) -> list[Party]:
        named: list[Any] = []
        for index in group.dialogs:
            parties = self.dialogs[index][1].get("parties")
            flat = parties if isinstance(parties, list) else [parties]
            for entry in flat:
                named += entry if isinstance(entry, list) else [entry]
        found = [party for i in named if (party := self._party(i)) is not None]
        return found or list(self.parties)

    def _direction(self, group: _Group) -> str | None:
        item = self.dialogs[group.dialogs[0]][1]
        role = self._speaker(item) if "originator" in item else "unknown"
        return {"customer": "inbound", "agent": "outbound"}.get(role)

    def _duration_s(self, group: _Group) -> float | None:
        ends = [
            (self.starts[i] - group.start).total_seconds() + duration_s
            for i in group.dialogs
            if (duration_s := self._dialog_duration_s(i)) is not None
        ]
        return max(ends, default=None)

    def _dialog_duration_s(self, index: int) -> float | None:
        at, item = self.dialogs[index]
        return member(item, "duration", "number", self.where, at)

    def _said(self, group: _Group, key: str) -> str | None:
        values = (self.dialogs[i][1].get(key) for i in group.dialogs)
        return next((v for v in values if isinstance(v, str) and v), None)

    def _was_transferred(self, group: _Group) -> bool:
        """Whether a transfer dialog names these dialogs as what the call became."""
        for _, item in self.dialogs:
            target = item.get("target_dialog")
            targets = target if isinstance(target, list) else [target]
            if item.get("type") == "transfer" and set(targets) & set(group.dialogs):
                return True
        return False

    def _attachments(self) -> list[str]:
        names = [
            item.get("filename") or item.get("purpose") or item.get("type") or "unnamed"
            for _, item in objects(self.raw, "attachments", self.where)
        ]
        return [name for name in map(str, names) if not _NUMBER.search(name)]

    def _own(self) -> Conversation | None:
        """The call of a vCon that speechlytics wrote; ``None`` of others."""
        bodies = {}
        for at, item in self.analyses:
            if item.get("vendor") == _own.VENDOR and item.get("schema"):
                content = item.get("body")
                if isinstance(content, str):
                    content = inline_bytes(content, item.get("encoding"), self.where, at)
                bodies[item["schema"]] = (at, _loaded(content, self.where, at))
        if _own.CALL_SCHEMA not in bodies:
            return None
        at, told = bodies[_own.CALL_SCHEMA]
        segments = bodies.get(_own.TRANSCRIPT_SCHEMA, (at, {}))[1].get("segments", [])
        silences = told.get("silences", [])
        if not all(isinstance(part, list) for part in (segments, silences)):
            raise ImportRefused(f"{self.where}: {at}: is not what speechlytics writes")
        stored = _own.restored(told.get("call", {}), segments, silences, f"{self.where}: {at}.body")
        recorded = [(p, d) for p, d in self.dialogs if d.get("type") == "recording"]
        sounds = [sound(item, self.where, place) for place, item in recorded]
        roles = self._channel_roles(_Group(self.starts[0], self._recorded())) if recorded else ()
        return Conversation(
            where=self.where,
            raw={"call_id": stored.call["call_id"], "turns": []},
            sounds=tuple(s for s in sounds if s is not None),
            roles=roles,
            role_source=stored.call["role_source"] or "none",
            stored=stored,
        )

    def _recorded(self) -> list[int]:
        return [i for i, (_, item) in enumerate(self.dialogs) if item.get("type") == "recording"]


def _loaded(content: object, where: str, at: str) -> dict[str, Any]:
    import json

    try:
        value = json.loads(content) if isinstance(content, bytes) else content
    except ValueError as error:
        raise ImportRefused(f"{where}: {at}.body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImportRefused(f"{where}: {at}.body is not an object")
    return value
