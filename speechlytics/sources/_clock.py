"""Times as people and exchanges write them → instants.

A time without an offset is wall-clock time in the configured zone (or UTC where the source says
so). Where clocks are put forward, a time that never was counts from the offset before the
change (02:30 means 03:30); where they are put back, a time that came twice means the first.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

_FORMATS = (
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%y %H:%M:%S",
    "%d.%m.%y %H:%M",
    "%d.%m.%Y",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y.%m.%d %H:%M:%S",
    "%Y%m%d-%H%M%S",
    "%Y%m%d_%H%M%S",
    "%Y-%m-%d_%H-%M-%S",
    "%Y-%m-%d-%H-%M-%S",
    "%a, %d %b %Y %H:%M:%S %z",
)
_FIRST_YEAR, _LAST_YEAR = 1980, 2200
_IN_A_NAME = re.compile(
    r"(?<!\d)(20\d\d)[-_.]?([01]\d)[-_.]?([0-3]\d)[-_T .]{1,2}"
    r"([0-2]\d)[-_.:]?([0-5]\d)[-_.:]?([0-5]\d)(?!\d)"
)


def instant(raw: object, zone: ZoneInfo, *, utc: bool) -> datetime:
    """Aware instant in UTC from text, a number (Unix time, s or ms) or a date object.

    Raises:
        ValueError: it is no plausible time.
    """
    moment = _moment(raw)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC if utc else zone)
    try:
        moment = moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("not a plausible time") from error
    if not _FIRST_YEAR <= moment.year < _LAST_YEAR:
        raise ValueError(f"not a plausible time: year {moment.year}")
    return moment


def local(moment: datetime, zone: ZoneInfo) -> datetime:
    """Naive wall-clock time of an instant in the zone."""
    return moment.astimezone(zone).replace(tzinfo=None)


def in_name(name: str) -> datetime | None:
    """Naive time that stands in a file name (20261122-093000 and the like), if one does."""
    for match in _IN_A_NAME.finditer(name):
        try:
            return datetime.strptime("".join(match.groups()), "%Y%m%d%H%M%S")
        except ValueError:
            continue
    return None


def _moment(raw: object) -> datetime:
    if isinstance(raw, datetime):
        return raw
    if isinstance(raw, date):
        return datetime(raw.year, raw.month, raw.day)
    if isinstance(raw, bool):
        raise ValueError("not a time")  # noqa: TRY004
    text = str(raw).strip()
    if re.fullmatch(r"\d{9,10}(\.\d+)?|\d{12,13}", text):
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
    if re.fullmatch(r"\d{14}", text):  # fromisoformat would take a digit for the separator
        return datetime.strptime(text, "%Y%m%d%H%M%S")
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    for pattern in _FORMATS:
        try:
            return datetime.strptime(text, pattern)
        except ValueError:
            continue
    raise ValueError("not a time that is understood; write it as 2026-11-22T09:30:00")
