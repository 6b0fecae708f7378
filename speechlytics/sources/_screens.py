"""Captures of the agent's screen: named in a sidecar, or lying beside the recording.

Beside ``NAME.wav`` a folder ``NAME.screens/`` may hold pictures and videos whose names carry
their time: ``12500.png`` or ``12500ms.png`` (ms from the start of the recording), ``12.5s.png``,
or a wall-clock time such as ``20261122-093012.png``.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from speechlytics.records import ScreenCapture
from speechlytics.screens import IMAGES, VIDEOS
from speechlytics.sources._clock import in_name
from speechlytics.sources._fields import milliseconds, text
from speechlytics.sources._listing import SCREENS_SUFFIX

# Nothing says how long the last picture of a call was valid.
_LAST_IMAGE_MS = 1000
_MOST = 10_000


def beside(uri: str, started_local: datetime) -> tuple[ScreenCapture, ...]:
    """Captures in the folder ``NAME.screens`` beside a local recording, in order of time.

    A picture lasts until the next one; the end of a video is not known (``end_ms`` equals
    ``start_ms`` plus one second) until something opens it.

    Args:
        uri: Absolute path of the recording.
        started_local: Wall-clock start of the recording, for names that carry a time of day.
    """
    folder = Path(uri).with_suffix(SCREENS_SUFFIX)
    try:
        names = sorted(entry for entry in folder.iterdir() if entry.is_file())
    except (OSError, ValueError):
        return ()
    timed = []
    for path in names[:_MOST]:
        kind = kind_of(path.name)
        start_ms = _start_ms(path, started_local)
        if kind is not None and start_ms is not None:
            timed.append((start_ms, str(path), kind))
    timed.sort()
    starts = [start_ms for start_ms, _, _ in timed]
    captures = []
    for start_ms, path_text, kind in timed:
        end_ms = start_ms + _LAST_IMAGE_MS
        if kind == "image":
            following = bisect_right(starts, start_ms)
            end_ms = starts[following] if following < len(starts) else end_ms
        captures.append(ScreenCapture(path_text, kind, start_ms, end_ms))
    return tuple(captures)


def from_sidecar(raw: object, recording_uri: str, root: Path | None) -> tuple[ScreenCapture, ...]:
    """Captures that a sidecar lists as ``{uri, kind, start_ms, end_ms}``.

    A relative ``uri`` is taken from the recording's folder.

    Raises:
        ValueError: the list is malformed, or a file lies outside the source's folder (``root``).
    """
    if not isinstance(raw, list):
        raise ValueError("not a list of {uri, kind, start_ms, end_ms}")  # noqa: TRY004
    captures = []
    for item in raw:
        if not isinstance(item, dict) or not isinstance(item.get("uri"), str):
            raise ValueError("an entry is not {uri, kind, start_ms, end_ms}")  # noqa: TRY004
        kind = kind_of(item["uri"]) if item.get("kind") is None else item["kind"]
        if kind not in {"image", "video"}:
            raise ValueError(f"kind {kind!r} is neither image nor video")
        start_ms = milliseconds(item.get("start_ms"))
        end_ms = milliseconds(item.get("end_ms", start_ms + _LAST_IMAGE_MS))
        uri = _resolved(text(item["uri"]), recording_uri, root)
        captures.append(ScreenCapture(uri, kind, start_ms, max(start_ms, end_ms)))
    return tuple(sorted(captures, key=lambda capture: capture.start_ms))


def _resolved(uri: str, recording_uri: str, root: Path | None) -> str:
    if "://" in uri and not uri.startswith("file://"):
        return uri
    if root is None:
        return f"{recording_uri.rpartition('/')[0]}/{uri}"
    path = (Path(recording_uri).parent / uri.removeprefix("file://")).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{uri!r} lies outside the source")
    return str(path)


def kind_of(name: str) -> Literal["image", "video"] | None:
    """What a file is by its name; ``None`` for anything but a picture or a video."""
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in VIDEOS:
        return "video"
    return "image" if suffix in IMAGES else None


def _start_ms(path: Path, started_local: datetime) -> int | None:
    wall = in_name(path.name)
    if wall is not None:
        offset_ms = round((wall - started_local).total_seconds() * 1000)
        return offset_ms if offset_ms >= 0 else None
    stem = path.name[: -len(path.suffix)] if path.suffix else path.name
    match = re.fullmatch(r"\D*?(\d+(?:\.\d+)?)(ms|s)?", stem)
    if match is None:
        return None
    value = float(match.group(1)) * (1000 if match.group(2) == "s" else 1)
    return round(value) if value < 1e9 else None
