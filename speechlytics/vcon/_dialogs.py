"""The dialogs of a vCon, who takes part in them, and which of them are one call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from speechlytics.errors import ImportRefused
from speechlytics.records import Role
from speechlytics.vcon._document import member, objects
from speechlytics.vcon._parties import Party, read_parties

SAME_MOMENT_S = 1.0  # recordings that start so near to each other are legs of one call


@dataclass(frozen=True, slots=True)
class Document:
    """A vCon taken apart: its lists with the JSON path of each entry.

    ``starts`` are the instants of the dialogs, ``where`` is the file, for messages.
    """

    where: str
    raw: dict[str, Any]
    parties: tuple[Party, ...]
    dialogs: list[tuple[str, dict[str, Any]]]
    analyses: list[tuple[str, dict[str, Any]]]
    starts: list[datetime]

    def role(self, channel: object) -> Role:
        """A channel's role; ``unknown`` for one that several parties share."""
        index = channel[0] if isinstance(channel, list) and len(channel) == 1 else channel
        party = self.party(index)
        return "unknown" if party is None else party.role

    def party(self, index: object) -> Party | None:
        """The party of this index, ``None`` where there is none."""
        if not isinstance(index, int) or isinstance(index, bool):
            return None
        return self.parties[index] if 0 <= index < len(self.parties) else None

    def speaker(self, item: dict[str, Any]) -> Role:
        """Who wrote a message: the originator, else the first party."""
        parties = item.get("parties")
        first = parties[0] if isinstance(parties, list) and parties else parties
        return self.role(item.get("originator", first))

    def duration_s(self, index: int) -> float | None:
        """Length that a dialog states, seconds."""
        at, item = self.dialogs[index]
        return member(item, "duration", "number", self.where, at)

    def recorded(self) -> list[int]:
        """Indices of the dialogs that are recordings."""
        return [i for i, (_, item) in enumerate(self.dialogs) if item.get("type") == "recording"]


@dataclass(slots=True)
class Group:
    """Dialogs of one call, by their index."""

    start: datetime
    dialogs: list[int] = field(default_factory=list)


def opened(where: str, raw: dict[str, Any], speakers: Mapping[str, Role]) -> Document:
    """Take a vCon apart.

    Raises:
        ImportRefused: a list or a time in it is not what it should be.
    """
    dialogs = objects(raw, "dialog", where)
    return Document(
        where,
        raw,
        tuple(read_parties(raw, where, speakers)),
        dialogs,
        objects(raw, "analysis", where),
        [_start(item, at, raw, where) for at, item in dialogs],
    )


def _start(item: dict[str, Any], at: str, raw: dict[str, Any], where: str) -> datetime:
    text = member(item, "start", str, where, at)
    if text is None and item.get("type") == "transfer":
        text = raw.get("created_at")
    try:
        moment = datetime.fromisoformat(text or "")
    except (ValueError, TypeError) as error:
        raise ImportRefused(f"{where}: {at}.start = {text!r} is not an RFC 3339 time") from error
    if moment.tzinfo is None:
        raise ImportRefused(f"{where}: {at}.start = {text!r} has no offset from UTC")
    return moment


def groups_of(document: Document) -> list[Group]:
    """Dialogs that are one call: legs by their start, and all texts together."""
    groups: list[Group] = []
    texts: Group | None = None
    unheard: Group | None = None
    for index in sorted(range(len(document.dialogs)), key=lambda i: document.starts[i]):
        at, item = document.dialogs[index]
        start, kind = document.starts[index], item.get("type")
        if kind == "recording":
            last = groups[-1] if groups else None
            if last is None or not _is_leg(document, last, index):
                groups.append(last := Group(start))
            last.dialogs.append(index)
        elif kind == "text":
            texts = texts or Group(start)
            texts.dialogs.append(index)
        elif kind == "incomplete":
            unheard = unheard or Group(start)
            unheard.dialogs.append(index)
        elif kind not in ("transfer", "recording-set"):
            raise ImportRefused(f"{document.where}: {at}.type = {kind!r} is not known")
    if texts is not None:
        groups.append(texts)
    if not groups and unheard is not None:
        groups.append(unheard)
    if not groups:
        raise ImportRefused(f"{document.where}: $.dialog: holds no recording and no text")
    return groups


def _is_leg(document: Document, group: Group, index: int) -> bool:
    near = abs((document.starts[index] - group.start).total_seconds()) <= SAME_MOMENT_S
    return near and all(
        isinstance(document.dialogs[i][1].get("parties"), int) for i in (*group.dialogs, index)
    )
