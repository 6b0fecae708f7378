"""What the address of a queue says: lane, days and filters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any, Literal
from urllib.parse import urlencode

FIRST_YEAR, LAST_YEAR = 1970, 2200
Lane = Literal["unresolved", "alerts", "random"]
LANES: tuple[Lane, ...] = ("unresolved", "alerts", "random")
REVIEWED = ("", "no", "yes", "unresolved", "resolved", "unclear")
MAX_VALUE = 200


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address of a queue says; empty text means "any"."""

    lane: Lane = "unresolved"
    first: date | None = None
    last: date | None = None
    queue: str = ""
    team: str = ""
    agent: str = ""
    reason: str = ""
    language: str = ""
    min_s: int | None = None
    max_s: int | None = None
    reviewed: str = ""
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The address's query of these filters with some changed; defaults are left out."""
        changed = replace(self, **changes)
        default = Filters()
        values = {f.name: getattr(changed, f.name) for f in fields(changed)}
        return urlencode(
            {
                name: value.isoformat() if isinstance(value, date) else value
                for name, value in values.items()
                if value is not None and value != getattr(default, name)
            }
        )

    @property
    def narrowed(self) -> bool:
        """Whether anything but lane, days and page is asked for."""
        kept = Filters(lane=self.lane, first=self.first, last=self.last, page=self.page)
        return self != kept


def parse(given: Mapping[str, str]) -> Filters:
    """Filters of a request; what makes no sense is as if it were not there."""
    wanted = given.get("lane")
    return Filters(
        lane=next((lane for lane in LANES if lane == wanted), "unresolved"),
        first=parse_day(given.get("first")),
        last=parse_day(given.get("last")),
        reviewed=given["reviewed"] if given.get("reviewed") in REVIEWED else "",
        min_s=_number(given.get("min_s")),
        max_s=_number(given.get("max_s")),
        page=_number(given.get("page")) or 1,
        **{
            n: given.get(n, "")[:MAX_VALUE]
            for n in ("queue", "team", "agent", "reason", "language")
        },
    )


def parse_day(text: str | None) -> date | None:
    """An ISO date of our times, or nothing: days are added to it and taken from it."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def _number(text: str | None) -> int | None:
    if text and text.isascii() and text.isdecimal() and len(text) <= 6:
        return int(text)
    return None
