"""The display, through mss: pictures of every monitor, or a clear word that it is gone."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING, Any

from speechlytics.errors import CaptureError, ConfigError

if TYPE_CHECKING:
    from PIL import Image

_REOPEN_S = 60.0  # monitors that were plugged in since are seen then
INSTALL = "pip install 'speechlytics[screens]'"


class Display:
    """Opened when first looked at, and again after it was lost."""

    def __init__(self, monitors: tuple[int, ...]) -> None:
        self._wanted = monitors
        self._mss: Any = None
        self._opened_at = 0.0

    def pictures(self) -> list[tuple[int, Image.Image]]:
        """Number (from 1) and picture of each wanted monitor.

        Raises:
            CaptureError: there is no display, it went away, or a wanted monitor is not there.
            ConfigError: mss and Pillow are not installed.
        """
        if self._mss is not None and time.monotonic() - self._opened_at > _REOPEN_S:
            self.close()
        mss, pillow = _libraries()
        try:
            if self._mss is None:
                self._mss = mss.MSS()
                self._opened_at = time.monotonic()
            shots = self._grabbed()
        # A lost X server shows as ScreenShotError, an xcb error or an OSError, by where it fails.
        except Exception as error:
            self.close()
            cause = str(error) or type(error).__name__
            raise CaptureError(f"{_display_name()} cannot be captured: {cause}") from error
        return [
            (number, pillow.frombytes("RGB", shot.size, shot.bgra, "raw", "BGRX"))
            for number, shot in shots
        ]

    def _grabbed(self) -> list[tuple[int, Any]]:
        # The first entry is all monitors together; an X server without RandR names no others.
        places = dict(enumerate(self._mss.monitors[1:] or self._mss.monitors, 1))
        numbers = self._wanted or tuple(places)
        if missing := [number for number in numbers if number not in places]:
            raise CaptureError(f"there is no monitor {missing[0]}, only {len(places)}")
        return [(number, self._mss.grab(places[number])) for number in numbers]

    def close(self) -> None:
        """Let go of the display."""
        opened, self._mss = self._mss, None
        if opened is not None:
            try:
                opened.close()
            except Exception:
                return  # a connection that is broken cannot be closed in order


def _libraries() -> tuple[Any, Any]:
    try:
        import mss
        from PIL import Image
    except ImportError as error:
        raise ConfigError(f"recording screens needs mss and Pillow ({error}); {INSTALL}") from error
    return mss, Image


def _display_name() -> str:
    if "DISPLAY" in os.environ:
        return f"display {os.environ['DISPLAY']!r}"
    if "WAYLAND_DISPLAY" in os.environ:
        return "a Wayland session (record in an X11 session instead)"
    if sys.platform in {"win32", "darwin"}:
        return "the screen"
    return "no display here (start the recorder in the agent's desktop session); the screen"
