"""What Asterisk writes: names of MixMonitor recordings, and ``Master.csv``.

Sources: Asterisk ``cdr_csv`` (columns, no header; UTC only with ``usegmtime``), FreePBX's
``sub-record-check`` (``type-to-from-YYYYMMDD-HHMMSS-uniqueid``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

CDR_COLUMNS = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp",
    "lastdata", "start", "answer", "end", "duration", "billsec", "disposition", "amaflags",
)  # fmt: skip
# Columns that never hold a party's number; the others do, in many spellings.
CDR_EXTRA = ("accountcode", "dcontext", "lastapp", "duration", "billsec", "disposition")
UNIQUEID = re.compile(r"(?:[A-Za-z][\w.]*-)?\d{9,11}\.\d+")
_LONGEST_EXTENSION = 5

_TAIL = r"-(?P<date>\d{8})-(?P<time>\d{6})-(?P<uniqueid>[\w.\-]*?\d{9,11}\.\d+)"
_HEAD = r"(?:^|/)"
# (pattern, what its kind of call implies); the first that matches counts.
_MIXMONITOR = (
    (rf"{_HEAD}external-(?P<agent_id>[^-/]+)-(?P<customer_id>[^-/]+){_TAIL}", "inbound"),
    (rf"{_HEAD}in-[^-/]+-(?P<customer_id>[^-/]+){_TAIL}", "inbound"),
    (rf"{_HEAD}(?:q|rg)-(?P<queue>[^-/]+)-(?P<customer_id>[^-/]+){_TAIL}", "inbound"),
    (rf"{_HEAD}out-(?P<customer_id>[^-/]+)-(?P<agent_id>[^-/]+){_TAIL}", "outbound"),
    (rf"{_HEAD}(?:internal|exten)-[^-/]+-(?P<agent_id>[^-/]+){_TAIL}", "internal"),
    (rf"{_HEAD}[A-Za-z]+-[^/]*?{_TAIL}", None),
)
SHIPPED_PATTERNS: dict[str, tuple[tuple[re.Pattern[str], str | None], ...]] = {
    "asterisk-mixmonitor": tuple((re.compile(text), kind) for text, kind in _MIXMONITOR)
}


def cdr_row(fields: list[str]) -> dict[str, str]:
    """Fields of one line of ``Master.csv`` by name; the last two are optional there."""
    row = dict(zip(CDR_COLUMNS, fields, strict=False))
    for value in fields[len(CDR_COLUMNS) :]:
        name = "uniqueid" if UNIQUEID.fullmatch(value.strip()) else "userfield"
        row.setdefault(name, value)
    return row


def cdr_values(row: Mapping[str, str]) -> dict[str, object]:
    """Our fields from a CDR.

    Which party is the customer follows from who has an extension (five digits or fewer). In a
    queue ``answer`` is the moment the queue picked up, not an agent: then the wait is unknown,
    and without a second channel nobody answered.
    """
    src, dst = row.get("src", "").strip(), row.get("dst", "").strip()
    queued = row.get("lastapp", "").strip().lower() == "queue"
    reached = bool(row.get("dstchannel", "").strip())
    answered = row.get("disposition", "").strip().upper() == "ANSWERED" and (reached or not queued)
    values: dict[str, object] = {"started_at": row.get("start", ""), "answered": answered}
    inside = _extension_of(row.get("dstchannel", ""))
    if not _is_extension(src):
        values |= {"direction": "inbound", "customer_id": src, "agent_id": inside}
    elif dst.lstrip("+").isdigit() and not _is_extension(dst):
        values |= {"direction": "outbound", "customer_id": dst, "agent_id": src}
    else:
        values |= {"direction": "internal", "agent_id": src}
    if queued:
        values["queue"] = row.get("lastdata", "").split(",", 1)[0]
    elif answered:
        values["wait_s"] = _difference_s(row, "start", "answer")
    if not answered:
        values["wait_s"] = _difference_s(row, "start", "end")
    return {name: value for name, value in values.items() if value not in ("", None)}


def _is_extension(party: str) -> bool:
    return party.isdigit() and len(party) <= _LONGEST_EXTENSION


def _extension_of(channel: str) -> str | None:
    """``PJSIP/201-0000a1`` → ``201``; trunks and queues have names, not extensions."""
    match = re.match(r"(?:Local|SIP|PJSIP|IAX2|DAHDI)/(\d{1,5})[-@]", channel.strip())
    return match.group(1) if match else None


def _difference_s(row: Mapping[str, str], first: str, second: str) -> float | None:
    from datetime import datetime

    try:
        start = datetime.fromisoformat(row.get(first, "").strip())
        end = datetime.fromisoformat(row.get(second, "").strip())
        return (end - start).total_seconds() if end >= start else None
    except (ValueError, TypeError):
        return None
