"""Where an agent's pictures are kept: written whole, never more than allowed."""

from __future__ import annotations

import contextlib
import os
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from speechlytics.screens._names import day_folder, frame_name, is_frame_of
from speechlytics.screens._settings import RecorderSettings

if TYPE_CHECKING:
    from PIL import Image

_PART = ".part"
_MB = 1_000_000
# Screens show customers' data: nothing for the rest of the world.
_FOLDER_MODE, _FILE_MODE = 0o750, 0o640
_BINARY = getattr(os, "O_BINARY", 0)  # Windows would mend line ends


class Shelf:
    """The pictures of one agent, oldest first; only pictures of this agent are ever deleted."""

    def __init__(self, settings: RecorderSettings) -> None:
        self._settings = settings
        self._root = settings.agent_path
        self._root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        self._kept: deque[tuple[str, str, int]] = deque()  # (day, name, bytes)
        self._bytes = 0
        for day in sorted(entry for entry in self._root.iterdir() if entry.is_dir()):
            for entry in sorted(os.scandir(day), key=lambda entry: entry.name):
                if entry.name.endswith(_PART) and entry.name.startswith("."):
                    Path(entry.path).unlink(missing_ok=True)  # a recorder was killed here
                elif is_frame_of(entry.name, settings.agent_id):
                    self._remember(day.name, entry.name, entry.stat().st_size)

    @property
    def total_bytes(self) -> int:
        """Size of all pictures kept."""
        return self._bytes

    def put(
        self,
        picture: Image.Image,
        at: datetime,
        monitor: int,
        wanted: Callable[[], bool] = lambda: True,
    ) -> Path | None:
        """Write a picture whole or not at all.

        Args:
            picture: RGB.
            at: When it was taken.
            monitor: Of which monitor.
            wanted: Asked when the file is complete but not yet visible; ``False`` discards it.

        Raises:
            OSError: the disk does not take it.
        """
        folder = self._root / day_folder(at)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        name = frame_name(self._settings.agent_id, at, monitor, self._settings.suffix)
        path, part = folder / name, folder / f".{name}{_PART}"
        try:
            descriptor = os.open(part, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | _BINARY, _FILE_MODE)
            with os.fdopen(descriptor, "wb") as out:
                picture.save(out, **self._encoding())
                out.flush()
                os.fsync(out.fileno())
            if not wanted():
                return None
            _seen(part, at)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        self._remember(folder.name, name, path.stat().st_size)
        return path

    def seen(self, path: Path, at: datetime) -> None:
        """Note that the screen still looked like this picture."""
        with contextlib.suppress(OSError):  # deleted by hand, or a share that is away
            _seen(path, at)

    def trim(self, now: datetime) -> int:
        """Delete what is too old or too much; the newest picture stays. Number deleted."""
        settings, deleted = self._settings, 0
        oldest = None if settings.keep_days is None else now - timedelta(days=settings.keep_days)
        first = "" if oldest is None else frame_name(settings.agent_id, oldest, 0, "")
        most = None if settings.max_mb is None else settings.max_mb * _MB
        while len(self._kept) > 1:
            day, name, size = self._kept[0]
            if not (name < first or (most is not None and self._bytes > most)):
                break
            (self._root / day / name).unlink(missing_ok=True)
            self._kept.popleft()
            self._bytes -= size
            deleted += 1
            if self._kept[0][0] != day:
                with contextlib.suppress(OSError):  # something else lies there
                    (self._root / day).rmdir()
        return deleted

    def _remember(self, day: str, name: str, size: int) -> None:
        self._kept.append((day, name, size))
        self._bytes += size

    def _encoding(self) -> dict[str, Any]:
        settings = self._settings
        if settings.form == "png":
            return {"format": "PNG", "compress_level": 6}
        if settings.form == "jpeg":
            return {"format": "JPEG", "quality": settings.quality}
        # Lossless at low effort: on a Full HD screen of text a third of the time and a seventh of
        # the bytes of lossy WebP at quality 80, and a third of the bytes of PNG.
        return {"format": "WEBP", "lossless": True, "quality": 20, "method": 1}


def _seen(path: Path, at: datetime) -> None:
    os.utime(path, (at.timestamp(), at.timestamp()))
