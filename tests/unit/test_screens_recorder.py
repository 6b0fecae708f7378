"""The recorder without a display: pictures come from a list, time passes on its own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speechlytics.errors import CaptureError, ConfigError
from speechlytics.screens import Recorder, RecorderSettings, duration_s, frame_name

Image = pytest.importorskip("PIL.Image", reason="Pillow is not installed (extra screens)")

WHITE, RED, BLUE = (255, 255, 255), (255, 0, 0), (0, 0, 255)
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)


def screen(colour: tuple[int, int, int] = WHITE, size: tuple[int, int] = (640, 480)):
    return Image.new("RGB", size, colour)


def with_box(side: int, colour: tuple[int, int, int] = (0, 0, 0)):
    picture = screen()
    picture.paste(colour, (100, 100, 100 + side, 100 + side))
    return picture


@dataclass
class Film:
    """Pictures one after another; what is callable is called, for its error or its deed."""

    frames: list[object]
    recorder: Recorder | None = None
    at: int = 0
    shown: object = None

    def pictures(self) -> list[tuple[int, object]]:
        if self.at < len(self.frames):
            frame = self.frames[self.at]
            self.at += 1
            self.shown = frame() if callable(frame) else frame
        elif self.recorder is not None:
            self.recorder.stop()
        shown = self.shown
        return list(enumerate(shown, 1)) if isinstance(shown, list) else [(1, shown)]

    def close(self) -> None:
        self.frames = self.frames[-1:]


def record(folder: Path, *frames: object, **settings: object) -> tuple[Recorder, list[Path]]:
    """Show each frame once (the first twice: the start looks whether there is a display)."""
    film = Film([frames[0], *frames])
    wanted = RecorderSettings("A07", folder, every_s=0.02, form="png")
    recorder = Recorder(replace(wanted, **settings), screen=film)
    film.recorder = recorder
    runner = threading.Thread(target=recorder.run)
    runner.start()
    runner.join(30)
    assert not runner.is_alive()
    return recorder, kept(folder)


def corner(path: Path) -> tuple[int, ...]:
    with Image.open(path) as picture:
        return picture.convert("RGB").getpixel((5, 5))


def size(path: Path) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*_m?.*"))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("speechlytics.screens._recorder.RETRY_DISPLAY_S", 0.02)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2s", 2.0), ("500ms", 0.5), ("1.5 s", 1.5), ("1m", 60.0), ("2", 2.0), ("1H", 3600.0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "2 sec", "0s", "99ms", "2h", "1e3s", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ConfigError, match="write"):
        duration_s(text)


def test_only_changes_are_kept(tmp_path: Path) -> None:
    recorder, files = record(tmp_path, screen(), screen(), screen(RED), screen(RED), screen())
    assert recorder.kept == len(files) == 3
    assert [corner(file) for file in files] == [WHITE, RED, WHITE]


def test_a_caret_is_no_change_and_a_word_is(tmp_path: Path) -> None:
    """640 × 480 has 4,800 blocks: the threshold of 1 % is 48 blocks, about 55 × 55 pixels."""
    _, files = record(
        tmp_path, screen(), with_box(30), screen(), with_box(80), min_change_share=0.01
    )
    assert len(files) == 2


def test_small_changes_add_up(tmp_path: Path) -> None:
    """Each step is below the threshold, measured against the last picture that was kept."""
    steps = [with_box(side) for side in range(0, 70, 10)]
    _, files = record(tmp_path, *steps, min_change_share=0.01)
    assert len(files) == 2


def test_two_monitors_are_compared_each_with_itself(tmp_path: Path) -> None:
    _, files = record(
        tmp_path, [screen(), screen(RED)], [screen(), screen(BLUE)], [screen(), screen(BLUE)]
    )
    assert [file.name.rpartition("_")[2] for file in files] == ["m1.png", "m2.png", "m2.png"]


def test_another_resolution_is_a_change(tmp_path: Path) -> None:
    _, files = record(tmp_path, screen(), screen(size=(800, 600)))
    assert [size(file) for file in files] == [(640, 480), (800, 600)]


def test_name_and_file_time_say_from_when_to_when(tmp_path: Path) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    _, (file,) = record(tmp_path, *[screen()] * 12)
    _, time, monitor = file.stem.split("_")
    first = datetime.fromisoformat(time)
    last = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    assert monitor == "m1"
    assert file.parent.name == f"{first:%Y-%m-%d}"
    assert before <= first < last <= datetime.now(UTC)
    assert last - first >= timedelta(seconds=0.02 * 5)  # it stood through all the looks


@pytest.mark.parametrize("form", ["png", "webp", "jpeg"])
def test_formats(tmp_path: Path, form: str) -> None:
    _, (file,) = record(tmp_path, screen(RED), form=form)
    with Image.open(file) as picture:
        assert picture.format == form.upper()
        red, green, blue = picture.convert("RGB").getpixel((320, 240))
    assert red > 240
    assert max(green, blue) < 20


def test_nothing_is_looked_at_while_the_flag_stands(tmp_path: Path) -> None:
    looked: list[bool] = []
    flag = tmp_path / "paying"
    flag.touch()

    class Watched(Film):
        def pictures(self) -> list[tuple[int, object]]:
            looked.append(flag.exists())
            return super().pictures()

    film = Watched([screen(RED)])
    settings = RecorderSettings("A07", tmp_path / "out", every_s=0.02, form="png", pause_file=flag)
    recorder = Recorder(settings, screen=film)
    runner = threading.Thread(target=recorder.run)
    runner.start()
    threading.Event().wait(0.3)
    assert not looked
    assert not kept(tmp_path)
    flag.unlink()
    deadline = threading.Event()
    for _ in range(500):
        if recorder.kept:
            break
        deadline.wait(0.02)
    recorder.stop()
    runner.join(30)
    assert recorder.kept == 1
    assert not any(looked)


def test_a_flag_that_appears_while_looking_wins(tmp_path: Path) -> None:
    flag = tmp_path / "paying"

    def secret() -> object:
        flag.touch()
        return screen(RED)

    film = Film([screen(), screen(), secret])
    settings = RecorderSettings("A07", tmp_path / "out", every_s=0.02, form="png", pause_file=flag)
    recorder = Recorder(settings, screen=film)
    runner = threading.Thread(target=recorder.run)
    runner.start()
    threading.Event().wait(0.4)
    recorder.stop()
    runner.join(30)
    (only,) = kept(tmp_path)
    assert corner(only) == WHITE


def test_a_flag_that_appears_while_writing_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = tmp_path / "paying"
    fsync = os.fsync

    def slow(descriptor: int) -> None:
        fsync(descriptor)
        flag.touch()

    monkeypatch.setattr(os, "fsync", slow)
    settings = RecorderSettings("A07", tmp_path / "out", every_s=0.02, form="png", pause_file=flag)
    recorder = Recorder(settings, screen=Film([screen()]))
    threading.Timer(0.4, recorder.stop).start()
    recorder.run()
    left = [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert left in ([], [".recorder.lock"])
    assert recorder.kept == 0


def test_a_flag_that_cannot_be_seen_counts_as_set(tmp_path: Path) -> None:
    place = tmp_path / "share"
    place.mkdir()

    def unmounted() -> object:
        place.rmdir()
        return screen(RED)

    film = Film([screen(), screen(), unmounted, screen(BLUE)])
    settings = RecorderSettings("A07", tmp_path / "out", every_s=0.02, pause_file=place / "flag")
    recorder = Recorder(settings, screen=film)
    threading.Timer(0.4, recorder.stop).start()
    recorder.run()
    assert len(list((tmp_path / "out").rglob("*.webp"))) == 1
    with pytest.raises(ConfigError, match="--pause-file"):
        Recorder(settings, screen=Film([screen()])).run()


def lost() -> object:
    raise CaptureError("display ':0' cannot be captured: gone")


def test_a_lost_display_is_waited_for(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("speechlytics"), "propagate", True)
    with caplog.at_level("INFO", "speechlytics"):
        _, files = record(tmp_path, screen(), lost, lost, screen())
    events = [getattr(entry, "fields", {}).get("event") for entry in caplog.records]
    assert events == ["recording", "display lost", "recording again", "stopped"]
    assert "goes on when it is back" in caplog.text
    assert len(files) == 2, "what is there when it comes back is kept anew"


def test_no_display_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CaptureError, match=":0"):
        Recorder(RecorderSettings("A07", tmp_path), screen=Film([lost])).run()


def test_a_second_recorder_of_the_agent_is_refused(tmp_path: Path) -> None:
    def another() -> object:
        second = Recorder(RecorderSettings("A07", tmp_path), screen=Film([screen()]))
        with pytest.raises(CaptureError, match="another recorder of agent 'A07'"):
            second.run()
        return screen(RED)

    _, files = record(tmp_path, screen(), another)
    assert len(files) == 2


@pytest.mark.parametrize("agent", ["", "  "])
def test_agent_must_have_a_name(tmp_path: Path, agent: str) -> None:
    with pytest.raises(ConfigError, match="--agent"):
        Recorder(RecorderSettings(agent, tmp_path), screen=Film([screen()])).run()


def test_folder_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="file"):
        Recorder(RecorderSettings("A07", tmp_path / "file"), screen=Film([screen()])).run()


def old(folder: Path, agent: str, days: float, length: int = 1000) -> Path:
    at = datetime.now(UTC) - timedelta(days=days)
    path = folder / agent / f"{at:%Y-%m-%d}" / frame_name(agent, at, 1, ".png")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * length)
    return path


def test_old_pictures_go_and_nothing_else(tmp_path: Path) -> None:
    gone = [old(tmp_path, "A07", days) for days in (31, 40)]
    stay = [old(tmp_path, "A07", 29), old(tmp_path, "A08", 99)]
    note = gone[0].with_name("note.txt")
    note.touch()
    part = stay[0].with_name(f".{stay[0].name}.part")
    part.touch()
    record(tmp_path, screen(), keep_days=30)
    assert not any(path.exists() for path in [*gone, part])
    assert all(path.exists() for path in [*stay, note])
    assert not gone[1].parent.exists(), "an empty day goes too"


def test_the_oldest_go_when_there_is_too_much(tmp_path: Path) -> None:
    paths = [old(tmp_path, "A07", days, 400_000) for days in (5, 4, 3, 2)]
    _, files = record(tmp_path, screen(), max_mb=1, keep_days=None)
    assert [path.exists() for path in paths] == [False, False, True, True]
    assert sum(file.stat().st_size for file in files) <= 1_000_000


def test_disk_use_stays_bounded_while_recording(tmp_path: Path) -> None:
    noise: list[Callable[[], object]] = [
        lambda: Image.effect_noise((256, 256), 200).convert("RGB") for _ in range(12)
    ]
    recorder, files = record(tmp_path, screen(), *noise, max_mb=0.2)
    assert recorder.kept == 13
    assert sum(file.stat().st_size for file in files) <= 200_000
    newest = max(files, key=lambda file: file.name)
    assert size(newest) == (256, 256), "the newest is whole and there"


def test_a_full_disk_costs_pictures_not_the_recorder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, full = os.fsync, [True]

    def write(descriptor: int) -> None:
        if full:
            full.pop()
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", write)
    recorder, files = record(tmp_path, screen(), screen(RED), screen(RED))
    assert recorder.kept == len(files) == 1
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_the_rest_of_the_world_sees_nothing(tmp_path: Path) -> None:
    _, (file,) = record(tmp_path, screen())
    assert file.stat().st_mode & 0o007 == 0
    assert (tmp_path / "A07").stat().st_mode & 0o007 == 0


def test_joining_needs_neither_mss_nor_pillow() -> None:
    program = (
        "import sys, speechlytics.screens, speechlytics.cli.screens\n"
        "print([m for m in ('mss', 'PIL', 'filelock', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
