"""What the recorder is told to do."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from speechlytics.errors import ConfigError
from speechlytics.screens._names import agent_folder

ImageFormat = Literal["webp", "png", "jpeg"]

_UNITS_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHORTEST_S, _LONGEST_S = 0.1, 3600.0


def duration_s(text: str) -> float:
    """``"2s"``, ``"500ms"``, ``"1.5m"`` → seconds; a bare number is seconds.

    Raises:
        ConfigError: it is no duration, shorter than 100 ms or longer than an hour.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h)?\s*", text, re.IGNORECASE)
    if match is None:
        raise ConfigError(f"{text!r} is not a duration; write 2s or 500ms")
    seconds = float(match[1]) * _UNITS_S[(match[2] or "s").lower()]
    if not _SHORTEST_S <= seconds <= _LONGEST_S:
        raise ConfigError(f"{text!r} is out of range; write something from 100ms to 1h")
    return seconds


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    """One agent's recording.

    Attributes:
        agent_id: As in the calls' metadata: captures are joined to calls by it.
        folder: Where all agents' captures go; each agent has a folder below it.
        every_s: Time from one look at the screen to the next.
        pause_file: While this file exists nothing is captured; ``None`` means ``pause`` in the
            agent's folder.
        monitors: Numbers of the monitors to record, from 1; none means all.
        form: Picture format; WebP and PNG are lossless.
        quality: Of JPEG, 1–100.
        min_change_share: Share of the picture's 8 × 8 pixel blocks that must differ from the
            last picture kept for a new one to be kept (see ``_change.py``).
        keep_days: Older pictures of this agent are deleted; ``None`` keeps them.
        max_mb: The oldest are deleted when this agent's pictures take more; ``None``: no limit.
    """

    agent_id: str
    folder: Path
    every_s: float = 2.0
    pause_file: Path | None = None
    monitors: tuple[int, ...] = ()
    form: ImageFormat = "webp"
    quality: int = 80
    min_change_share: float = 0.0005
    keep_days: float | None = 30
    max_mb: float | None = 10_000

    @property
    def agent_path(self) -> Path:
        """Folder of this agent's captures."""
        return self.folder / agent_folder(self.agent_id)

    @property
    def flag(self) -> Path:
        """File whose existence pauses the recording."""
        return self.pause_file or self.agent_path / "pause"

    @property
    def suffix(self) -> str:
        """File name ending of the pictures."""
        return ".jpg" if self.form == "jpeg" else f".{self.form}"
