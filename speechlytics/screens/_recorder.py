"""The recorder's loop: look, compare, keep; pause by a flag; wait out a lost display."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from speechlytics.errors import CaptureError, ConfigError
from speechlytics.screens._change import changed_share, outline
from speechlytics.screens._display import Display
from speechlytics.screens._names import day_folder
from speechlytics.screens._settings import RecorderSettings
from speechlytics.screens._shelf import Shelf

if TYPE_CHECKING:
    from PIL import Image

log = logging.getLogger("speechlytics.screens")

TRIM_EVERY_S = 300.0
SAY_AGAIN_S = 3600.0  # a flag forgotten, a display that stays away
RETRY_DISPLAY_S = 5.0
LOCK_NAME = ".recorder.lock"


class Screen(Protocol):
    """What pictures come from."""

    def pictures(self) -> list[tuple[int, Image.Image]]:
        """Number and picture of each monitor."""
        ...

    def close(self) -> None:
        """Let go of the display."""
        ...


@dataclass(slots=True)
class _LastKept:
    path: Path
    outline: Image.Image
    day: str


@dataclass(slots=True)
class Recorder:
    """Records one agent's screen until told to stop.

    A picture is kept when it differs enough from the last one kept of its monitor, when a new
    UTC day begins, and after every pause. While the flag file exists the screen is not looked
    at, and a picture that was being written when the flag appeared is thrown away: create the
    flag *before* the secret is on the screen, delete it after.
    """

    settings: RecorderSettings
    screen: Screen | None = None
    kept: int = 0
    looked: int = 0
    _last: dict[int, _LastKept] = field(default_factory=dict)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _trouble: str | None = None
    _said_at: float = 0.0

    def stop(self) -> None:
        """End :meth:`run` after the picture in hand; safe in a signal handler."""
        self._stopped.set()

    def run(self) -> None:
        """Record until :meth:`stop`.

        Raises:
            CaptureError: there is no display at the start, or another recorder of this agent is
                at work here. A display that is lost later is waited for.
            ConfigError: the extra is not installed, or the folder cannot be used.
        """
        from filelock import FileLock, Timeout

        settings = self.settings
        if not settings.agent_id.strip():
            raise ConfigError("the agent's id is empty; give --agent as in the calls' metadata")
        try:
            shelf = Shelf(settings)
        except OSError as error:
            raise ConfigError(f"{settings.agent_path}: cannot be used ({error})") from error
        if not settings.flag.parent.is_dir():
            raise ConfigError(
                f"{settings.flag}: the pause file's folder does not exist; make it, or name "
                "another place with --pause-file"
            )
        lock = FileLock(settings.agent_path / LOCK_NAME)
        try:
            lock.acquire(timeout=0)
        except Timeout as error:
            raise CaptureError(
                f"another recorder of agent {settings.agent_id!r} writes to "
                f"{settings.agent_path}; stop it, or record to another folder"
            ) from error
        try:
            self._record(shelf)
        finally:
            lock.release()

    def _record(self, shelf: Shelf) -> None:
        settings = self.settings
        screen = self.screen or Display(settings.monitors)
        if not settings.flag.exists():
            screen.pictures()  # without a display at all, say so now and not into a log
        self._say("recording", folder=str(settings.agent_path), pause_file=str(settings.flag))
        next_look = trimmed_at = time.monotonic()
        self._trim(shelf)
        try:
            while not self._stopped.is_set():
                wait_s = self._look(screen, shelf)
                now = time.monotonic()
                if now - trimmed_at > TRIM_EVERY_S:
                    self._trim(shelf)
                    trimmed_at = now
                next_look = max(next_look + wait_s, now)  # late looks are not made up for
                self._stopped.wait(next_look - now)
        finally:
            screen.close()
            self._say("stopped", looked=self.looked, kept=self.kept)

    def _look(self, screen: Screen, shelf: Shelf) -> float:
        """Look once; seconds until the next look."""
        settings = self.settings
        if self._paused():
            self._last.clear()  # what is on the screen afterwards is kept anew
            self._trouble_is("paused", f"paused: {_why_paused(settings.flag)}")
            return settings.every_s
        at = datetime.now(UTC)
        try:
            pictures = screen.pictures()
        except CaptureError as error:
            self._last.clear()
            self._trouble_is("display lost", f"{error}; recording goes on when it is back")
            return max(settings.every_s, RETRY_DISPLAY_S)
        if self._paused():  # these may show what came after the flag
            return settings.every_s
        self.looked += 1
        try:
            for monitor, picture in pictures:
                self._consider(monitor, picture, at, shelf)
        except OSError as error:
            self._trim(shelf)
            self._trouble_is("not written", f"a picture was not written: {error}")
            return settings.every_s
        if self._trouble is not None:
            self._say("recording again", after=self._trouble)
            self._trouble = None
        return settings.every_s

    def _consider(self, monitor: int, picture: Image.Image, at: datetime, shelf: Shelf) -> None:
        now, last = outline(picture), self._last.get(monitor)
        least = self.settings.min_change_share
        if last is not None and last.day == day_folder(at):
            share = changed_share(last.outline, now)
            if share < least or share == 0:
                shelf.seen(last.path, at)
                return
        path = shelf.put(picture, at, monitor, wanted=lambda: not self._paused())
        if path is None:
            return
        self._last[monitor] = _LastKept(path, now, day_folder(at))
        self.kept += 1
        log.debug("kept %s", path.name, extra={"fields": {"event": "kept", "file": str(path)}})
        if self._over(shelf):
            self._trim(shelf)

    def _paused(self) -> bool:
        flag = self.settings.flag
        try:
            # Where the flag's folder is away, nobody knows: nothing is captured.
            return flag.exists() or not flag.parent.is_dir()
        except OSError:
            return True

    def _over(self, shelf: Shelf) -> bool:
        most = self.settings.max_mb
        return most is not None and shelf.total_bytes > most * 1_000_000

    def _trim(self, shelf: Shelf) -> None:
        try:
            deleted = shelf.trim(datetime.now(UTC))
        except OSError as error:
            log.warning("old pictures were not deleted: %s", error)
            return
        if deleted:
            self._say("deleted", pictures=deleted, bytes_left=shelf.total_bytes)

    def _trouble_is(self, event: str, message: str) -> None:
        """Say it once, and again every hour."""
        now = time.monotonic()
        if self._trouble != event or now - self._said_at > SAY_AGAIN_S:
            self._trouble, self._said_at = event, now
            fields = {"event": event, "agent_id": self.settings.agent_id}
            log.warning("%s", message, extra={"fields": fields})

    def _say(self, event: str, **more: Any) -> None:
        fields = {"event": event, "agent_id": self.settings.agent_id, **more}
        shown = ", ".join(f"{key} {value}" for key, value in more.items())
        log.info("%s: %s", event, shown, extra={"fields": fields})


def _why_paused(flag: Path) -> str:
    there = flag.parent.is_dir()
    return f"{flag} exists" if there else f"the folder of {flag} is away"
