"""A folder of screen captures, joined to calls by agent (or call id) and time.

A call's captures are those of its agent between its start and its end, on the recording's
clock. How long a call is, only its audio tells: the join is asked for once that is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from speechlytics.config import SourceConfig
from speechlytics.errors import AudioError, SourceError
from speechlytics.records import Recording
from speechlytics.sources._capture_files import ByDay, Names, Whole
from speechlytics.sources._shots import EndOf, Shot, captures_during

_LONGEST_VIDEO = timedelta(hours=12)
_MOST = 10_000


class _Shelf(Protocol):
    def shots(self, recording: Recording, first: datetime, last: datetime) -> Iterable[Shot]:
        """Captures that may belong to a call, at least those from ``first`` to ``last``."""
        ...


class Captures:
    """The captures of ``[source.screens]``."""

    def __init__(self, shelf: _Shelf, end_of: EndOf) -> None:
        self._shelf = shelf
        self._end_of = lru_cache(maxsize=100_000)(end_of)

    def joined(self, recording: Recording, duration_ms: int | None) -> Recording:
        """The recording with its agent's captures.

        Captures that it has already (listed in its metadata, lying beside it) stay as they are;
        a call of unknown length gets none.
        """
        if recording.screens or duration_ms is None or not recording.uris:
            return recording
        start = recording.started_at
        end = start + timedelta(milliseconds=duration_ms)
        shots = self._shelf.shots(recording, start - _LONGEST_VIDEO, end)
        found = captures_during(shots, start, duration_ms, self._end_of)
        return replace(recording, screens=found[:_MOST]) if found else recording


def open_captures(config: SourceConfig) -> Captures | None:
    """Captures of a source; ``None`` if it has none configured.

    Raises:
        SourceError: the folder does not exist or cannot be listed.
        ConfigError: the pattern lacks its groups.
    """
    screens = config.screens
    if screens is None:
        return None
    names = Names(screens, ZoneInfo(config.zone))
    local = "://" not in screens.folder
    if local and not Path(screens.folder).is_dir():
        raise SourceError(
            f"source.screens.folder = {screens.folder!r} does not exist; check the path, or "
            "remove [source.screens]"
        )
    shelf = ByDay(Path(screens.folder), names) if local and screens.pattern is None else None
    return Captures(shelf or Whole(screens.folder, names), _end_of)


def _end_of(shot: Shot) -> int | None:
    """Ask the file itself, or where it is elsewhere, nobody."""
    if shot.length_ms is not None:
        return shot.start_ms + shot.length_ms
    if shot.kind == "image":
        return _modified_ms(shot.uri) if shot.marked else None
    from speechlytics.audio import video_length_ms

    try:
        length_ms = video_length_ms(shot.uri)
    except AudioError:
        length_ms = None
    # A recorder that was cut off wrote until the file's last change.
    return _modified_ms(shot.uri) if length_ms is None else shot.start_ms + length_ms


def _modified_ms(uri: str) -> int | None:
    try:
        return Path(uri).stat().st_mtime_ns // 1_000_000
    except (OSError, ValueError):
        return None
