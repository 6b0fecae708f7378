"""Who, when and how: what a vCon tells of a call besides its words."""

from __future__ import annotations

import re
from typing import Any

from speechlytics.vcon._dialogs import Document, Group
from speechlytics.vcon._document import objects
from speechlytics.vcon._parties import Party

_NUMBER = re.compile(r"\d[\d\s().\-]{4,}\d")  # free text with one may tell who called


def metadata_of(document: Document, group: Group, call_id: str) -> dict[str, Any]:
    """What the vCon tells of a call, under the names of ``import transcripts``."""
    indices = _parties_of(document, group)
    customer = next((p for p in indices if p.role == "customer"), None)
    agent = next((p for p in indices if p.role == "agent"), None)
    metadata: dict[str, Any] = {
        "call_id": call_id,
        "started_at": group.start.isoformat(),
        "direction": _direction(document, group),
        "customer_id": customer.identity if customer else None,
        "agent_id": (agent.name or agent.identity) if agent else None,
        "team": agent.dept if agent else None,
        "duration_s": _duration_s(document, group),
        "queue": _said(document, group, "skill"),
        "transferred": True if _was_transferred(document, group) else None,
        "application": _said(document, group, "application"),
        "campaign": _said(document, group, "campaign"),
        "attachments": _attachments(document),
    }
    subject = document.raw.get("subject")
    if isinstance(subject, str) and not _NUMBER.search(subject):
        metadata["subject"] = subject
    for name in ("redacted", "amended", "appended"):
        if document.raw.get(name):
            metadata[f"vcon_{name}"] = str(document.raw[name].get("type") or True)
    return {key: value for key, value in metadata.items() if value not in (None, [])}


def _parties_of(document: Document, group: Group) -> list[Party]:
    named: list[Any] = []
    for index in group.dialogs:
        parties = document.dialogs[index][1].get("parties")
        flat = parties if isinstance(parties, list) else [parties]
        for entry in flat:
            named += entry if isinstance(entry, list) else [entry]
    found = [party for i in named if (party := document.party(i)) is not None]
    return found or list(document.parties)


def _direction(document: Document, group: Group) -> str | None:
    item = document.dialogs[group.dialogs[0]][1]
    role = document.speaker(item) if "originator" in item else "unknown"
    return {"customer": "inbound", "agent": "outbound"}.get(role)


def _duration_s(document: Document, group: Group) -> float | None:
    ends = [
        (document.starts[i] - group.start).total_seconds() + duration_s
        for i in group.dialogs
        if (duration_s := document.duration_s(i)) is not None
    ]
    return max(ends, default=None)


def _said(document: Document, group: Group, key: str) -> str | None:
    values = (document.dialogs[i][1].get(key) for i in group.dialogs)
    return next((v for v in values if isinstance(v, str) and v), None)


def _was_transferred(document: Document, group: Group) -> bool:
    """Whether a transfer dialog names these dialogs as what the call became."""
    for _, item in document.dialogs:
        target = item.get("target_dialog")
        targets = target if isinstance(target, list) else [target]
        if item.get("type") == "transfer" and set(targets) & set(group.dialogs):
            return True
    return False


def _attachments(document: Document) -> list[str]:
    names = [
        item.get("filename") or item.get("purpose") or item.get("type") or "unnamed"
        for _, item in objects(document.raw, "attachments", document.where)
    ]
    return [name for name in map(str, names) if not _NUMBER.search(name)]
