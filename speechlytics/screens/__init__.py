"""A small screen recorder, for a centre that has none, and the names it gives its captures.

Each agent's captures lie in a folder of their own, by UTC day; a name says whose screen it was,
when, and which monitor::

    DIR/A07/2026-11-22/A07_20261122T093012.345Z_m1.webp

The time in the name is when the picture was taken; the file's modification time is when the
screen was last seen unchanged. Copy captures so that file times survive (``rsync -t``).

Nothing here imports mss or Pillow (the extra ``screens``) before a recording starts.
"""

from __future__ import annotations

from speechlytics.screens._names import (
    IMAGES,
    NAME_PATTERN,
    VIDEOS,
    agent_folder,
    agent_of,
    day_folder,
    frame_name,
)
from speechlytics.screens._recorder import Recorder
from speechlytics.screens._settings import RecorderSettings, duration_s

__all__ = [
    "IMAGES",
    "NAME_PATTERN",
    "VIDEOS",
    "Recorder",
    "RecorderSettings",
    "agent_folder",
    "agent_of",
    "day_folder",
    "duration_s",
    "frame_name",
]
