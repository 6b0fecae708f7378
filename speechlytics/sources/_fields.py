"""The metadata fields of a call: their names, and raw values → typed values."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_args

from speechlytics.errors import ConfigError
from speechlytics.records import Role

_TRUE = frozenset({"true", "t", "yes", "y", "1", "answered", "answer", "да", "д"})
_FALSE = frozenset(
    {"false", "f", "no", "n", "0", "noanswer", "busy", "failed", "abandoned", "congestion"}
    | {"нет", "н"}
)
_DIRECTIONS = {
    "inbound": "inbound in incoming i входящий входящая вх",
    "outbound": "outbound out outgoing o исходящий исходящая исх",
    "internal": "internal local внутренний внутренняя",
}
_PARTIES = {
    "agent": "agent operator callee оператор агент",
    "customer": "customer caller client клиент абонент",
    "system": "system timeout network система",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """What one place says about one call.

    Attributes:
        where: File and line, for messages.
        values: Our field → raw value.
        columns: Our field → its name in the file, for messages.
        extra: Everything that is none of our fields.
        keys: Names under which a recording may ask for this entry, exact ones.
        fallback_id: Call id if there is no recording and no ``call_id``.
        utc: Times without an offset are UTC.
        problem: Why this entry cannot be trusted at all (malformed JSON, …).
        notes: Smaller things that were wrong.
    """

    where: str
    values: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, object] = field(default_factory=dict)
    keys: tuple[str, ...] = ()
    fallback_id: str | None = None
    utc: bool = False
    problem: str | None = None
    notes: tuple[str, ...] = ()


def clean(text: str) -> str:
    """Text that can be stored: undecodable bytes replaced, outer blanks gone."""
    return text.encode("utf-8", "replace").decode().strip()


def blank(raw: object) -> bool:
    """Whether a raw value says nothing."""
    return raw is None or (isinstance(raw, str) and not raw.strip()) or raw in ([], {})


def text(raw: object) -> str:
    """Any scalar as text; ``12.0`` of a Parquet column with gaps is ``12``.

    Raises:
        ValueError: a list or an object.
    """
    if isinstance(raw, list | dict):
        raise ValueError("not a text")  # noqa: TRY004
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    return clean(str(raw))


def number(raw: object) -> float:
    """A finite number, with a point or a comma.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(raw, str | int | float | Decimal) or isinstance(raw, bool):
        raise ValueError("not a number")  # noqa: TRY004
    try:
        value = float(raw.strip().replace(",", ".") if isinstance(raw, str) else raw)
    except (ValueError, OverflowError):
        raise ValueError("not a number") from None
    if not math.isfinite(value):
        raise ValueError("not a number")
    return value


def milliseconds(raw: object) -> int:
    """A duration in ms, not negative.

    Raises:
        ValueError: it is none.
    """
    value = number(raw)
    if not 0 <= value < 1e12:
        raise ValueError("not a duration")
    return round(value)


def seconds(raw: object) -> int:
    """A duration in s (``75.5``) or as ``[hh:]mm:ss`` → ms.

    Raises:
        ValueError: it is none.
    """
    if isinstance(raw, str) and re.fullmatch(r"\s*(\d+:)?[0-5]?\d:[0-5]\d\s*", raw):
        total = 0
        for part in raw.split(":"):
            total = total * 60 + int(part)
        return total * 1000
    return milliseconds(number(raw) * 1000)


def truth(raw: object) -> bool:
    """A yes or a no.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(raw, bool):
        return raw
    word = re.sub(r"[\s_\-]", "", text(raw).casefold())
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("neither yes nor no")


def language(raw: object) -> str:
    """ISO 639 code: ``ru-RU`` is ``ru``.

    Raises:
        ValueError: it is none.
    """
    code = re.split(r"[-_]", text(raw).lower())[0]
    if not re.fullmatch("[a-z]{2,3}", code):
        raise ValueError("not a language code such as 'ru'")
    return code


def roles(raw: object) -> tuple[Role, ...]:
    """Role per channel: a list, or names separated by commas.

    Raises:
        ValueError: an unknown role.
    """
    names = raw if isinstance(raw, list) else text(raw).split(",")
    found: list[Role] = []
    for name in names:
        role = next((r for r in get_args(Role) if r == str(name).strip().lower()), None)
        if role is None:
            raise ValueError(f"not roles; known are {', '.join(get_args(Role))}")
        found.append(role)
    return tuple(found)


def _one_of(words: Mapping[str, str]) -> Callable[[object], str]:
    known = {word: name for name, synonyms in words.items() for word in synonyms.split()}

    def parse(raw: object) -> str:
        try:
            return known[text(raw).casefold()]
        except KeyError:
            raise ValueError(f"none of {', '.join(words)}") from None

    return parse


PARSERS: dict[str, Callable[[object], Any]] = {
    "agent_id": text,
    "answered": truth,
    "csat": number,
    "direction": _one_of(_DIRECTIONS),
    "disconnect_by": _one_of(_PARTIES),
    "language": language,
    "queue": text,
    "roles": roles,
    "team": text,
    "transferred_from": text,
    "wait_ms": milliseconds,
    "wait_s": seconds,
}
# Fields that need more than their own value: the zone, the key, the recording.
FIELDS = frozenset(PARSERS) | {"call_id", "customer_id", "recording", "screens", "started_at"}
RECORDING_ALIAS = "file"


def check_columns(columns: Mapping[str, str], where: str) -> None:
    """Refuse a mapping of a field that does not exist.

    Raises:
        ConfigError: naming the field and the nearest known one.
    """
    for name in columns:
        if name not in FIELDS:
            near = difflib.get_close_matches(name, FIELDS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(FIELDS))}"
            raise ConfigError(f"{where}.columns: unknown field {name!r}; {hint}")


def split(
    row: Mapping[str, object], columns: Mapping[str, str]
) -> tuple[dict[str, object], dict[str, str], dict[str, object]]:
    """Row → values of our fields, the columns they came from, and everything else.

    A field that is not mapped is taken from the column of its own name; the recording also from
    a column ``file``.
    """
    names = {name: columns.get(name, name) for name in FIELDS}
    if names["recording"] not in row and "recording" not in columns:
        names["recording"] = RECORDING_ALIAS
    names = {name: column for name, column in names.items() if column in row}
    values = {name: row[column] for name, column in names.items() if not blank(row[column])}
    used = set(names.values())
    extra = {
        column: value for column, value in row.items() if column not in used and not blank(value)
    }
    return values, names, extra


def storable(value: object) -> object:
    """A raw value as JSON can hold it."""
    if isinstance(value, bool | int) or value is None:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {clean(str(key)): storable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable(item) for item in value]
    return clean(value.isoformat() if isinstance(value, datetime | date) else str(value))
