"""The recorder on a real X server (Xvfb): what is on the screen, and what must never be kept.

Needs Debian's ``xvfb`` and ``x11-xserver-utils`` (``xsetroot``), and the extra ``screens``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from speechlytics.config import ScreensConfig, SourceConfig
from speechlytics.errors import CaptureError
from speechlytics.records import Recording
from speechlytics.sources import open_captures

MISSING = [name for name in ("Xvfb", "xsetroot") if shutil.which(name) is None]
if MISSING:
    warnings.warn(
        f"SCREEN RECORDER NOT TESTED: {', '.join(MISSING)} missing; "
        "apt-get install xvfb x11-xserver-utils",
        pytest.PytestWarning,
        stacklevel=1,
    )
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} missing: apt-get install xvfb x11-xserver-utils"
)
mss = pytest.importorskip("mss", reason="mss is not installed (extra screens)")
Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (extra screens)")

PATIENCE_S = 60
WIDTH, HEIGHT = 640, 480


class XServer:
    """A virtual display that can die and come back under its number."""

    def __init__(self) -> None:
        self.number: str | None = None
        self.start()

    def start(self) -> None:
        reading, writing = os.pipe()
        number = [f":{self.number}"] if self.number else []
        self.process = subprocess.Popen(
            [
                "Xvfb",
                *number,
                "-displayfd",
                str(writing),
                "-screen",
                "0",
                f"{WIDTH}x{HEIGHT}x24",
                "-noreset",
            ],
            pass_fds=[writing],
            stderr=subprocess.DEVNULL,
        )
        os.close(writing)
        with os.fdopen(reading) as told:
            self.number = told.readline().strip()
        assert self.number, "Xvfb did not start"

    @property
    def environment(self) -> dict[str, str]:
        others = {k: v for k, v in os.environ.items() if k != "WAYLAND_DISPLAY"}
        return {**others, "DISPLAY": f":{self.number}"}

    def show(self, colour: str) -> None:
        subprocess.run(["xsetroot", "-solid", colour], env=self.environment, check=True)

    def die(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def display() -> Iterator[XServer]:
    server = XServer()
    server.show("white")
    yield server
    server.die()


class Running:
    """``speechlytics screens record`` as a process."""

    def __init__(self, display: XServer, out: Path, *options: str) -> None:
        self.out = out
        self.log = out.with_suffix(".log")
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "speechlytics", "--verbose", "--log-format", "json",
                 "screens", "record", "--agent", "A07", "--every", "200ms", "--format", "png",
                 "--out", str(out), *options],
                env=display.environment, stderr=log,
            )  # fmt: skip

    def pictures(self) -> list[Path]:
        return sorted(self.out.rglob("*.png"))

    def colours(self) -> list[tuple[int, int, int]]:
        return [_colour(path) for path in self.pictures()]

    def events(self) -> list[dict[str, str]]:
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines]

    def told(self, event: str) -> bool:
        return any(entry.get("event") == event for entry in self.events())

    def wait_for(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


def _colour(path: Path) -> tuple[int, int, int]:
    with Image.open(path) as picture:
        assert picture.size == (WIDTH, HEIGHT)
        red, green, blue = picture.convert("RGB").getpixel((WIDTH // 2, HEIGHT // 2))
    return red, green, blue


@pytest.fixture
def recording(display: XServer, tmp_path: Path) -> Iterator[Running]:
    running = Running(display, tmp_path / "captures")
    running.wait_for(lambda: bool(running.pictures()))
    yield running
    if running.process.poll() is None:
        running.process.kill()
        running.process.wait()


def seen_again(running: Running) -> Callable[[], bool]:
    """The recorder has looked once more and found nothing new: file times move, files do not."""
    newest = running.pictures()[-1]
    before = newest.stat().st_mtime_ns
    return lambda: newest.stat().st_mtime_ns > before


def test_one_picture_a_change_and_a_clean_end(display: XServer, recording: Running) -> None:
    for colour in ("red", "blue"):
        recording.wait_for(seen_again(recording))
        count = len(recording.pictures())
        display.show(colour)
        recording.wait_for(lambda count=count: len(recording.pictures()) > count)
    recording.wait_for(seen_again(recording))
    assert recording.end() == 0
    assert recording.colours() == [(255, 255, 255), (255, 0, 0), (0, 0, 255)]
    names = [path.name for path in recording.pictures()]
    assert all(name.startswith("A07_20") and name.endswith("Z_m1.png") for name in names)
    last = recording.events()[-1]
    assert (last["event"], last["kept"], last["agent_id"]) == ("stopped", 3, "A07")
    assert not list(recording.out.rglob("*.part"))


def test_nothing_of_a_pause_is_kept(display: XServer, recording: Running) -> None:
    """What was on the screen only between the two deeds of the flag is nowhere on the disk."""
    flag = recording.out / "A07" / "pause"
    flag.touch()
    display.show("red")  # the card number
    recording.wait_for(lambda: recording.told("paused"))
    files = sorted(path for path in recording.out.rglob("*") if path.is_file())
    time.sleep(1)  # five looks
    assert sorted(path for path in recording.out.rglob("*") if path.is_file()) == files
    display.show("blue")
    flag.unlink()
    recording.wait_for(lambda: len(recording.pictures()) == 2)
    assert recording.end(signal.SIGINT) == 0
    assert recording.colours() == [(255, 255, 255), (0, 0, 255)]


def test_a_display_that_dies_and_comes_back(display: XServer, recording: Running) -> None:
    display.die()
    recording.wait_for(lambda: recording.told("display lost"))
    (said,) = [entry for entry in recording.events() if entry.get("event") == "display lost"]
    assert f":{display.number}" in said["message"]
    assert said["level"] == "warning"
    display.start()
    display.show("green")
    recording.wait_for(lambda: recording.told("recording again"))
    recording.wait_for(lambda: len(recording.pictures()) >= 2)
    assert recording.end() == 0


def test_pictures_join_the_agents_call(display: XServer, recording: Running) -> None:
    started_at = datetime.now(UTC)
    recording.wait_for(seen_again(recording))
    display.show("red")
    recording.wait_for(lambda: len(recording.pictures()) == 2)
    recording.wait_for(seen_again(recording))
    duration_ms = round((datetime.now(UTC) - started_at).total_seconds() * 1000)
    assert recording.end() == 0
    captures = open_captures(
        SourceConfig(path="/calls", screens=ScreensConfig(folder=str(recording.out)))
    )
    assert captures is not None
    local = started_at.replace(tzinfo=None)
    call = Recording("c", ("/c.wav",), started_at, local, local.date(), agent_id="A07")
    white, red = captures.joined(call, duration_ms).screens
    assert [white.uri, red.uri] == [str(path) for path in recording.pictures()]
    assert white.start_ms == 0, "shown when the call began"
    assert 0 < white.end_ms <= red.start_ms < red.end_ms <= duration_ms


def test_no_display_says_what_to_do(tmp_path: Path) -> None:
    away = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
    done = subprocess.run(
        [sys.executable, "-m", "speechlytics", "screens", "record", "--agent", "A07",
         "--out", str(tmp_path)],
        env=away, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "desktop session" in done.stderr
    assert "Traceback" not in done.stderr


def test_each_monitor_has_its_own_pictures(
    display: XServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Xvfb has one monitor: its halves stand in for two."""
    from speechlytics.screens._display import Display

    whole = {"left": 0, "top": 0, "width": WIDTH, "height": HEIGHT}
    left = {**whole, "width": 200}
    right = {**whole, "left": 200, "width": WIDTH - 200}
    monkeypatch.setenv("DISPLAY", f":{display.number}")
    monkeypatch.setattr(mss.MSS, "monitors", [whole, left, right])

    def sizes(*wanted: int) -> dict[int, tuple[int, int]]:
        screen = Display(wanted)
        try:
            return {number: picture.size for number, picture in screen.pictures()}
        finally:
            screen.close()

    assert sizes() == {1: (200, HEIGHT), 2: (WIDTH - 200, HEIGHT)}
    assert sizes(2) == {2: (WIDTH - 200, HEIGHT)}
    with pytest.raises(CaptureError, match="no monitor 3, only 2"):
        sizes(3)
    monkeypatch.setattr(mss.MSS, "monitors", [whole])  # no RandR
    assert sizes() == {1: (WIDTH, HEIGHT)}
