"""Call ids from file names, safe to store, to print and to put into another file name."""

from __future__ import annotations

import hashlib
import re
import unicodedata

_MAX_LENGTH = 200
_NO_DIGIT = re.compile(r"\D+")
_SEPARATORS = frozenset("/\\")
_SHORTEST_TELLING = 5  # fewer digits or letters are in any text by chance
_TAIL_DIGITS = 10  # a number without its country or trunk prefix


def safe_id(text: str) -> str:
    """A call id: Unicode NFC, without path separators, control characters and ``..``."""
    text = unicodedata.normalize("NFC", text).strip()
    cleaned = "".join(
        "_" if char in _SEPARATORS or unicodedata.category(char)[0] == "C" else char
        for char in text
    )
    cleaned = re.sub(r"\.{2,}", "_", cleaned)
    if len(cleaned) > _MAX_LENGTH:
        digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
        cleaned = f"{cleaned[: _MAX_LENGTH - 13]}-{digest}"
    return cleaned or "unnamed"


def tells(text: str, customer_id: str) -> bool:
    """Whether a text gives away a customer's raw id, in whatever notation."""
    return masked(text, customer_id, "") != text


def masked(text: str, customer_id: str, mask: str) -> str:
    """The text with a customer's raw id replaced, as written or as the same digits."""
    plain = customer_id.strip()
    if len(plain) >= _SHORTEST_TELLING and plain.casefold() in text.casefold():
        text = re.sub(re.escape(plain), lambda _: mask, text, flags=re.IGNORECASE)
    digits = _NO_DIGIT.sub("", plain)
    tail = digits[-_TAIL_DIGITS:]
    if len(digits) < _SHORTEST_TELLING or len(digits) * 2 <= len(plain):
        return text
    if tail in _NO_DIGIT.sub("", text):
        # Country code or trunk prefix in front; more digits would be another number.
        spaced = r"[\s().\-]*".join(tail)
        prefix = r"(?:\+?\d{1,3}|\+\d{1,3}[\s().\-]+|\d[\s().\-]+)?"
        number = rf"(?<!\d){prefix}\(?{spaced}(?!\d)"
        text = re.sub(number, lambda _: mask, text)
    return text
