"""What several places say about one call → one ``Recording``."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from speechlytics.config import SourceConfig
from speechlytics.records import Recording, Role
from speechlytics.sources import _clock
from speechlytics.sources._fields import PARSERS, Entry, blank, storable, text
from speechlytics.sources._listing import Stored
from speechlytics.sources._names import masked, safe_id, tells
from speechlytics.sources._screens import beside, from_sidecar
from speechlytics.sources._units import Unit
from speechlytics.sources.pseudonym import customer_key

_PLAIN_FIELDS = (
    "agent_id", "answered", "csat", "direction", "disconnect_by", "language", "queue", "team",
    "transferred_from",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Context:
    """What is the same for all calls of a source."""

    config: SourceConfig
    zone: ZoneInfo
    key: bytes
    root: Any = None


class Merged:
    """The entries about one call, most trusted first; later ones fill gaps of earlier ones.

    A value that cannot be understood is a note, and the next place is asked.
    """

    def __init__(self, entries: Sequence[Entry], context: Context) -> None:
        self.entries = entries
        self.context = context
        self.notes = [note for entry in entries for note in entry.notes]
        raw_ids = (entry.values.get("customer_id") for entry in entries)
        #: Every raw customer id with its pseudonym.
        self.customers = {
            text(raw): customer_key(text(raw), context.key, context.config.region)
            for raw in raw_ids
            if not blank(raw) and not isinstance(raw, list | dict)
        }

    def first(
        self,
        name: str,
        parse: Callable[[object], Any] | None = None,
        entries: Sequence[Entry] | None = None,
    ) -> Any:
        """First understandable value of a field, or ``None``."""
        for entry in self.entries if entries is None else entries:
            raw = entry.values.get(name)
            if blank(raw):
                continue
            try:
                return (parse or PARSERS[name])(raw)
            except ValueError as error:
                column = entry.columns.get(name, name)
                shown = text(raw) if not isinstance(raw, list | dict) else "…"
                self.notes.append(f"{entry.where}: {column} = {shown!r} is {error}")
        return None

    def call_id(self, default: str) -> str:
        """Call id from metadata or else ``default``, safe and without the customer's raw id."""
        return safe_id(self.unmarked(self.first("call_id", text) or default))

    def unmarked(self, value: Any) -> Any:
        """A text in which the customer's raw id is replaced by the head of the pseudonym."""
        if isinstance(value, str):
            for raw, pseudonym in self.customers.items():
                value = masked(value, raw, (pseudonym or "customer")[:12])
        return value

    def started_at(self) -> datetime | None:
        """Start of the call, from the first place that tells it."""
        zone = self.context.zone
        for entry in self.entries:
            found = self.first(
                "started_at", partial(_clock.instant, zone=zone, utc=entry.utc), [entry]
            )
            if isinstance(found, datetime):
                return found
        return None

    def extra(self) -> str | None:
        """Columns that are none of our fields, and notes, without the customer's raw id."""
        values: dict[str, object] = {}
        for entry in self.entries:
            for name, value in entry.extra.items():
                values.setdefault(str(name), storable(value))
        if self.notes:
            values["metadata_problems"] = list(dict.fromkeys(self.notes))
        kept = {
            name: value
            for name, value in values.items()
            if not any(
                tells(f"{name} {json.dumps(value, ensure_ascii=False)}", raw)
                for raw in self.customers
            )
        }
        return json.dumps(storable(kept), ensure_ascii=False, sort_keys=True) if kept else None


def recording(
    unit: Unit | None,
    call_id: str,
    entries: Sequence[Entry],
    context: Context,
    stored: Stored,
    problem: str | None = None,
) -> Recording:
    """Describe one call.

    Args:
        unit: Its files; ``None`` for a call that was never recorded.
        call_id: Its id, already safe.
        entries: What is known, most trusted first.
        context: The source.
        stored: Size and change of its files; it starts at that change if nothing tells better.
        problem: Why it cannot be processed, if that is known already.
    """
    merged = Merged(entries, context)
    problem = problem or next((entry.problem for entry in entries if entry.problem), None)
    started_at = merged.started_at()
    if started_at is None and problem is None:
        # A wrong day would be worse than a failed call: one that was given counts, or none.
        given = next(
            (entry for entry in entries if not blank(entry.values.get("started_at"))), None
        )
        if given is not None:
            problem = f"{merged.notes[-1]}; correct it, or the call stands on the wrong day"
        elif unit is None:
            where = entries[0].where if entries else call_id
            problem = f"{where}: no started_at for a call without a recording; map its column"
    if started_at is None:
        named = _clock.in_name(unit.files[0].stem) if unit is not None else None
        fallback = named or stored.modified_at or datetime.now(UTC)
        started_at = _clock.instant(fallback, context.zone, utc=False)
    started_local = _clock.local(started_at, context.zone)
    fields = {name: merged.unmarked(merged.first(name)) for name in _PLAIN_FIELDS}
    wait_ms = merged.first("wait_ms")
    roles = merged.first("roles")
    return Recording(
        call_id=call_id,
        uris=() if unit is None else tuple(file.uri for file in unit.files),
        started_at=started_at,
        started_local=started_local,
        call_date=started_local.date(),
        roles=roles or _configured_roles(unit, context.config),
        role_source="metadata" if roles else "channel",
        customer_key=next((key for key in merged.customers.values() if key), None),
        wait_ms=merged.first("wait_s") if wait_ms is None else wait_ms,
        screens=_screens(unit, merged, started_local),
        extra=merged.extra(),
        audio_size_bytes=stored.size_bytes,
        audio_modified_at=stored.modified_at,
        problem=problem,
        **fields,
    )


def row_id(entry: Entry, key: bytes) -> str:
    """Id of a row that names neither a call nor a recording: the same for the same content."""
    content = json.dumps(storable(dict(entry.values)), sort_keys=True, ensure_ascii=False)
    content += json.dumps(storable(dict(entry.extra)), sort_keys=True, ensure_ascii=False)
    return "row-" + hmac.new(key, content.encode(), "sha256").hexdigest()[:16]


def _configured_roles(unit: Unit | None, config: SourceConfig) -> tuple[Role, ...]:
    if unit is None or unit.legs is None:
        return config.roles
    return tuple(config.roles[i] if i < len(config.roles) else "unknown" for i in unit.legs)


def _screens(unit: Unit | None, merged: Merged, started_local: datetime) -> Any:
    if unit is None:
        return ()
    uri, root = unit.files[0].uri, merged.context.root
    listed = merged.first("screens", lambda raw: from_sidecar(raw, uri, root))
    if listed is None and root is not None:
        return beside(uri, started_local)
    return listed or ()
