"""Names of captures: whose screen, when (UTC), which monitor."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import unquote

IMAGES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".avif", ".bmp"})
VIDEOS = frozenset({".mp4", ".webm", ".mkv", ".mov", ".avi", ".m4v"})

NAME_PATTERN = (
    r"(?:^|/)(?P<agent_id>[^/]+)_(?P<time>\d{8}T\d{6}(?:\.\d{1,6})?Z)(?:_m(?P<monitor>\d+))?"
    r"\.[A-Za-z0-9]+$"
)
"""Names of the recorder; any recorder that uses them is understood."""

# Not allowed in a file name on Windows, or with a meaning of its own in these names.
_UNSAFE = frozenset('%/\\:*?"<>|')


def agent_folder(agent_id: str) -> str:
    """Folder name of an agent: reversible, and safe on every file system.

    Unsafe characters become ``%XX``, as in a URL; letters of any alphabet stay.
    """
    text = unicodedata.normalize("NFC", agent_id)
    safe = "".join(
        _escaped(char) if char in _UNSAFE or unicodedata.category(char)[0] == "C" else char
        for char in text
    )
    # A leading dot hides, a trailing dot or blank is lost on Windows.
    if safe[:1] in {".", " "}:
        safe = _escaped(safe[0]) + safe[1:]
    if safe[-1:] in {".", " "}:
        safe = safe[:-1] + _escaped(safe[-1])
    return safe


def agent_of(folder: str) -> str:
    """Agent whose folder this is; the inverse of :func:`agent_folder`."""
    return unquote(folder)


def day_folder(at: datetime) -> str:
    """Folder of a UTC day, ``2026-11-22``."""
    return f"{at.astimezone(UTC):%Y-%m-%d}"


def frame_name(agent_id: str, at: datetime, monitor: int, suffix: str) -> str:
    """File name of a picture taken at ``at`` (aware), to the millisecond; ``suffix`` with dot."""
    utc = at.astimezone(UTC)
    time = f"{utc:%Y%m%dT%H%M%S}.{utc.microsecond // 1000:03}Z"
    return f"{agent_folder(agent_id)}_{time}_m{monitor}{suffix}"


def is_frame_of(name: str, agent_id: str) -> bool:
    """Whether a file name is one that the recorder gives to this agent's pictures."""
    match = re.search(NAME_PATTERN, name)
    return match is not None and match["agent_id"] == agent_folder(agent_id)


def _escaped(char: str) -> str:
    return "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "replace"))
