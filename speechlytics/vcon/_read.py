"""vCon → conversations: metadata and turns as ``import transcripts`` has them, and recordings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechlytics.errors import ImportRefused
from speechlytics.records import Role, RoleSource
from speechlytics.vcon import _own
from speechlytics.vcon._content import Sound, inline_bytes, sound
from speechlytics.vcon._dialogs import Document, Group, groups_of, opened
from speechlytics.vcon._document import documents
from speechlytics.vcon._metadata import metadata_of
from speechlytics.vcon._turns import chat, transcript


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
            yield from _conversations(opened(where, raw, speakers or {}))
        except ImportRefused as refused:
            yield refused


def _conversations(document: Document) -> Iterator[Conversation | ImportRefused]:
    own = _own_call(document)
    if own is not None:
        yield own
        return
    groups = groups_of(document)
    for number, group in enumerate(groups, 1):
        suffix = f"-{number}" if len(groups) > 1 else ""
        try:
            yield _conversation(document, group, f"{document.raw['uuid']}{suffix}")
        except ImportRefused as refused:
            yield refused


def _conversation(document: Document, group: Group, call_id: str) -> Conversation:
    first_at, first = document.dialogs[group.dialogs[0]]
    where = f"{document.where}: {first_at}"
    metadata = metadata_of(document, group, call_id)
    if first["type"] == "incomplete":
        metadata |= {"answered": False, "turns": []}
        return Conversation(where, metadata)
    if first["type"] == "text":
        turns = chat(document, group)
        if not turns:
            raise ImportRefused(f"{where}: no message has a text (redacted?)")
        return Conversation(where, metadata | {"turns": turns})
    sounds = _sounds(document, group.dialogs)
    heard = tuple(s for s in sounds if s is not None)
    turns, language, times = transcript(document, group)
    if len(heard) < len(sounds) and not turns:
        raise ImportRefused(f"{where}: has neither body, url nor a transcript (redacted?)")
    if times == "estimated" and heard:
        turns = []  # times are measured where there is sound
    if times == "estimated" and turns:
        metadata["times"] = times
    if language is not None:
        metadata["language"] = language
    roles = _channel_roles(document, group)
    known: RoleSource = "metadata" if set(roles) - {"unknown"} else "none"
    sounds_known = heard if len(heard) == len(sounds) else ()
    return Conversation(where, metadata | {"turns": turns}, sounds_known, roles, known)


def _sounds(document: Document, indices: Sequence[int]) -> list[Sound | None]:
    return [sound(document.dialogs[i][1], document.where, document.dialogs[i][0]) for i in indices]


def _channel_roles(document: Document, group: Group) -> tuple[Role, ...]:
    """Role per channel: of a leg its party's, else as ``parties`` lists them by channel."""
    listed = [document.dialogs[i][1].get("parties") for i in group.dialogs]
    channels = listed if len(listed) > 1 or isinstance(listed[0], int) else listed[0]
    if not isinstance(channels, list):
        channels = [None] * len(group.dialogs)
    return tuple(document.role(channel) for channel in channels)


def _own_call(document: Document) -> Conversation | None:
    """The call of a vCon that speechlytics wrote; ``None`` of others."""
    bodies = {}
    for at, item in document.analyses:
        if item.get("vendor") == _own.VENDOR and item.get("schema"):
            content = item.get("body")
            if isinstance(content, str):
                content = inline_bytes(content, item.get("encoding"), document.where, at)
            bodies[item["schema"]] = (at, _loaded(content, document.where, at))
    if _own.CALL_SCHEMA not in bodies:
        return None
    at, told = bodies[_own.CALL_SCHEMA]
    segments = bodies.get(_own.TRANSCRIPT_SCHEMA, (at, {}))[1].get("segments", [])
    silences = told.get("silences", [])
    if not all(isinstance(part, list) for part in (segments, silences)):
        raise ImportRefused(f"{document.where}: {at}: is not what speechlytics writes")
    stored = _own.restored(told.get("call", {}), segments, silences, f"{document.where}: {at}.body")
    recorded = document.recorded()
    roles = _channel_roles(document, Group(document.starts[0], recorded)) if recorded else ()
    return Conversation(
        where=document.where,
        raw={"call_id": stored.call["call_id"], "turns": []},
        sounds=tuple(s for s in _sounds(document, recorded) if s is not None),
        roles=roles,
        role_source=stored.call["role_source"] or "none",
        stored=stored,
    )


def _loaded(content: object, where: str, at: str) -> dict[str, Any]:
    try:
        value = json.loads(content) if isinstance(content, bytes) else content
    except ValueError as error:
        raise ImportRefused(f"{where}: {at}.body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ImportRefused(f"{where}: {at}.body is not an object")
    return value
