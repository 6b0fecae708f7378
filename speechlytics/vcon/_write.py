"""A stored call → vCon 0.4.0."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from speechlytics.records import Role
from speechlytics.vcon import _own
from speechlytics.vcon._content import MEDIA_TYPES, content_hash
from speechlytics.vcon._document import VERSION

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SoundFile:
    """A recording: where it lies, its SHA-512, and its bytes if it goes inline.

    ``sha512`` is ``None`` where the file is not there any more.
    """

    url: str
    sha512: bytes | None
    content: bytes | None = None


def to_vcon(
    call: Row,
    segments: Sequence[Row],
    silences: Sequence[Row],
    hits: Sequence[Row],
    reasons: Sequence[Row],
    sounds: Sequence[SoundFile],
    *,
    created_at: datetime | None = None,
) -> dict[str, Any]:
    """The vCon of a call; the customer is in it under the pseudonym only.

    Args:
        call: Row of ``calls``.
        segments: Rows of ``segments``, in order.
        silences: Rows of ``silences``, in order.
        hits: Rows of ``phrase_hits``, in order.
        reasons: ``reasons`` of ``unresolved``, if the call has a score.
        sounds: Its recording: one file, or one per leg.
        created_at: Aware instant at which the vCon is made; now by default.
    """
    roles = _roles(call, segments)
    dialog = _dialog(call, segments, sounds, roles)
    about = list(range(len(dialog)))
    return {
        "vcon": VERSION,
        "uuid": str(_uuid8(call["call_id"])),
        "extensions": ["CC"],
        "created_at": (created_at or datetime.now(UTC)).isoformat(timespec="seconds"),
        "parties": [_party(role, call) for role in roles],
        "dialog": dialog,
        "analysis": _analysis(call, segments, silences, hits, reasons, about),
        "attachments": [],
    }


def _uuid8(call_id: str) -> uuid.UUID:
    """Version 8 (RFC 9562): the same call, the same id."""
    bits = int.from_bytes(hashlib.sha256(f"speechlytics call {call_id}".encode()).digest()[:16])
    bits = bits & ~(0xF << 76) | (8 << 76)
    return uuid.UUID(int=bits & ~(0x3 << 62) | (2 << 62))


def _roles(call: Row, segments: Sequence[Row]) -> list[Role]:
    heard = {s["role"] for s in segments}
    order: tuple[Role, ...] = ("agent", "customer", "ivr", "unknown")
    always = {"agent"} if call["agent_id"] else set()
    always |= {"customer"} if call["customer_key"] else set()
    return [role for role in order if role in heard | always] or ["unknown"]


def _party(role: Role, call: Row) -> dict[str, Any]:
    if role == "agent":
        told = {"role": role, "name": call["agent_id"], "dept": call["team"]}
        return {key: value for key, value in told.items() if value}
    if role == "customer" and call["customer_key"]:
        return {"role": role, "uuid": _as_uuid(call["customer_key"])}
    return {} if role == "unknown" else {"role": role}


def _as_uuid(pseudonym: str) -> str:
    try:
        return str(uuid.UUID(hex=pseudonym))
    except ValueError:
        return pseudonym


def _dialog(
    call: Row, segments: Sequence[Row], sounds: Sequence[SoundFile], roles: list[Role]
) -> list[dict[str, Any]]:
    started = call["started_at"].astimezone(UTC)
    common: dict[str, Any] = {"start": started.isoformat()}
    originator = {"inbound": "customer", "outbound": "agent"}.get(call["direction"] or "")
    if originator in roles:
        common["originator"] = roles.index(originator)
    if call["queue"]:
        common["skill"] = call["queue"]
    if call["duration_ms"] is not None:
        common["duration"] = call["duration_ms"] / 1000
    if sounds:
        channels = _channels(call, segments, roles)
        return [
            {
                "type": "recording",
                **common,
                "parties": channels if len(sounds) == 1 else _leg_party(channels, leg),
                **_content(one),
            }
            for leg, one in enumerate(sounds)
        ]
    if not segments:
        common.pop("duration", None)
        every = list(range(len(roles)))
        return [{"type": "incomplete", **common, "parties": every, "disposition": "no-answer"}]
    # A call that came in as text leaves as text: one message per segment.
    return [
        {
            "type": "text",
            "start": _later(started, segment["start_ms"]),
            "duration": (segment["end_ms"] - segment["start_ms"]) / 1000,
            "parties": roles.index(segment["role"]),
            "mediatype": "text/plain",
            "body": segment["text"],
            "encoding": "none",
        }
        for segment in segments
    ]


def _later(started: datetime, offset_ms: int) -> str:
    from datetime import timedelta

    return (started + timedelta(milliseconds=offset_ms)).isoformat()


def _channels(call: Row, segments: Sequence[Row], roles: list[Role]) -> list[int | list[int]]:
    """Party per channel; a list of parties where they share one."""
    count = max(call["channels"] or 1, 1)
    if count == 1 or call["role_source"] == "none":
        return [list(range(len(roles)))] * count
    by_channel = {s["channel"]: s["role"] for s in segments}
    usual: dict[int, Role] = {0: "agent", 1: "customer"}
    named = [by_channel.get(n, usual.get(n, "unknown")) for n in range(count)]
    return [roles.index(role) if role in roles else [] for role in named]


def _leg_party(channels: list[int | list[int]], leg: int) -> int | list[int]:
    return channels[leg] if leg < len(channels) else []


def _content(one: SoundFile) -> dict[str, Any]:
    name = PurePosixPath(one.url.split("?", 1)[0]).name
    told: dict[str, Any] = {
        "mediatype": MEDIA_TYPES.get(PurePosixPath(name).suffix.lower(), "audio/x-wav"),
        "filename": name,
    }
    if one.content is not None:
        body = base64.urlsafe_b64encode(one.content).decode().rstrip("=")
        return told | {"body": body, "encoding": "base64url"}
    if one.sha512 is None:
        return told
    return told | {"url": one.url, "content_hash": content_hash(one.sha512)}


def _analysis(
    call: Row,
    segments: Sequence[Row],
    silences: Sequence[Row],
    hits: Sequence[Row],
    reasons: Sequence[Row],
    about: list[int],
) -> list[dict[str, Any]]:
    told = {
        "call": _own.plain(call, _own.NOT_TOLD),
        "silences": [_own.plain(row) for row in silences],
    }
    parts: list[tuple[str, str, Any]] = [("call", _own.CALL_SCHEMA, told)]
    if call["transcript_source"] is not None:
        transcript = {
            "language": call["language"],
            "segments": [_own.segment_json(row) for row in segments],
        }
        parts.insert(0, ("transcript", _own.TRANSCRIPT_SCHEMA, transcript))
        findings = {
            "phrase_hits": [_own.plain(row) for row in hits],
            "unresolved_reasons": [_own.plain(row) for row in reasons],
        }
        parts.append(("findings", _own.FINDINGS_SCHEMA, findings))
    return [
        {
            "type": kind,
            "dialog": about,
            "vendor": _own.VENDOR,
            "schema": schema,
            "mediatype": "application/json",
            "encoding": "json",
            "body": json.dumps(body, ensure_ascii=False),
        }
        for kind, schema, body in parts
    ]
