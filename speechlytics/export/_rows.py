"""Values as spreadsheets, CSV readers and JSON parsers take them."""

from __future__ import annotations

import json
import math
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""A text that starts so is run as a formula by spreadsheets (OWASP, CSV injection)."""


def harmless(text: str) -> str:
    """Text that no spreadsheet takes for a formula: an apostrophe goes before it."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def plain(value: Any) -> Any:
    """A value as JSON has it: times in ISO 8601, numbers and nesting as they are."""
    match value:
        case datetime() | date() | time():
            plainer: Any = value.isoformat()
        case timedelta():
            plainer = value.total_seconds()
        case Decimal():
            plainer = int(value) if value == value.to_integral_value() else float(value)
        case float() if not math.isfinite(value):
            plainer = None
        case bytes():
            plainer = value.hex()
        case dict():
            plainer = {str(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            plainer = [plain(inner) for inner in value]
        case _:
            plainer = value
    return plainer


def as_json(value: Any) -> str:
    """A value as compact JSON, Cyrillic as it is."""
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"))


def cell(value: Any) -> str | int | float | bool | None:
    """A value as one cell: nested ones as JSON, texts made harmless, numbers as numbers."""
    if isinstance(value, (dict, list, tuple)):
        return as_json(value)
    value = plain(value)
    return harmless(value) if isinstance(value, str) else value
