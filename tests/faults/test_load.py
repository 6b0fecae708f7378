"""Bad input under load: the night ends, every other call is done, and the failures are named."""

from __future__ import annotations

import errno
import functools
import multiprocessing
import random
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from speechlytics import config, nightly
from speechlytics.errors import StoreError
from speechlytics.runner import LocalRunner, Outcome
from speechlytics.store import Store
from speechlytics.store.durable import intercepted
from speechlytics.transcribe import ModelProcess
from tests.end_to_end.test_nightly import contents, write_wav
from tests.faults.unruly_engine import load_unruly

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

GARBAGE = ("type", "none", "missing", "words", "times", "bytes", "loop")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spoken")
    for number in range(3):
        write_wav(folder / f"{number}.wav", number)
    return folder


@pytest.fixture
def unruly(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = functools.partial(ModelProcess, load_engine=load_unruly)
    monkeypatch.setattr("speechlytics.nightly._night.ModelProcess", engine)


def project(folder: Path, recordings: Path, names: list[str]) -> config.Config:
    calls = folder / "recordings"
    calls.mkdir(exist_ok=True)
    for number, name in enumerate(names):
        shutil.copy2(recordings / f"{number % 3}.wav", calls / f"{name}.wav")
    return config.Config(
        source=config.SourceConfig(path=str(calls)),
        store=config.StoreConfig(path=str(folder / "store")),
        transcribe=config.TranscribeConfig(model="demo-prototype", languages=("ru",)),
        run=config.RunConfig(workers=2, attempts=4, publish_every_calls=8),
    )


def night(
    settings: config.Config, progress: Callable[[int, str], None] | None = None
) -> nightly.Report:
    return nightly.run(settings, nightly.Selection(), progress=progress)


def good(count: int) -> list[str]:
    return [f"good-{number:03d}" for number in range(count)]


def statuses(settings: config.Config) -> dict[str, str]:
    rows = Store(settings.store.path).read("calls", columns=["call_id", "status"]).to_pylist()
    return {row["call_id"]: row["status"] for row in rows}


def test_a_poison_call_in_every_batch(unruly: None, recordings: Path, tmp_path: Path) -> None:
    # sorted by name, so that each of the model's batches meets one
    names = [f"{n:02d}" for n in range(18)]
    poison = {f"poison-{n}" for n in range(3)}
    settings = project(tmp_path, recordings, [*good(18), *poison, *names])
    report = night(settings)
    assert {failure.call_id for failure in report.failures} == poison
    assert all("SIGKILL" in failure.error for failure in report.failures)
    assert report.counts == {"ok": 36, "failed": 3}


def test_a_model_that_returns_garbage(unruly: None, recordings: Path, tmp_path: Path) -> None:
    garbage = [f"garbage-{kind}-1" for kind in GARBAGE]
    settings = project(tmp_path, recordings, [*good(10), *garbage])
    report = night(settings)
    done = statuses(settings)
    assert done.keys() == {*good(10), *garbage}, "every call has its row"
    assert all(done[name] == "ok" for name in good(10))
    named = {failure.call_id: failure for failure in report.failures}
    for kind in ("type", "none", "missing", "words"):
        assert named[f"garbage-{kind}-1"].stage == "transcribe"
    outside = Store(settings.store.path).connect().execute(
        "SELECT count(*) FROM segments JOIN calls USING (call_id) "
        "WHERE start_ms < 0 OR end_ms < start_ms OR end_ms > duration_ms"
    )  # fmt: skip
    assert outside.fetchone() == (0,), "whatever the model says, times stay inside the call"


def test_processes_killed_at_random(unruly: None, recordings: Path, tmp_path: Path) -> None:
    settings = project(tmp_path, recordings, good(40))
    chance, killed = random.Random(5), []

    def kill(finished: int, call_id: str) -> None:
        if finished % 8 == 0 and (alive := multiprocessing.active_children()):
            victim = chance.choice(alive)
            victim.kill()
            killed.append(victim.pid)

    report = night(settings, kill)
    assert len(killed) >= 3
    assert statuses(settings).keys() == set(good(40)), "every call has its row"
    # a shot may hit the same call's processes until its attempts are used up: then it is named
    assert len(report.failures) <= len(killed)
    assert report.counts["ok"] == 40 - len(report.failures)
    for child in multiprocessing.active_children():
        child.join(10)
    assert not multiprocessing.active_children(), "nothing is left behind"


@pytest.mark.parametrize("room", [3, 9])
def test_a_disk_that_fills_up(unruly: None, recordings: Path, tmp_path: Path, room: int) -> None:
    settings = project(tmp_path, recordings, good(12))
    left = 0

    def full(action: str, target: str) -> None:
        nonlocal left
        left -= action in ("append", "write")
        if left < 0 and action in ("append", "write", "commit"):
            raise OSError(errno.ENOSPC, "No space left on device", target)

    def fill_up(finished: int, call_id: str) -> None:
        nonlocal left
        if finished == 1:
            left = room

    left = 10_000
    with intercepted(full), pytest.raises((StoreError, OSError), match="No space left"):
        night(settings, fill_up)
    # space is made, and the next night goes on
    report = night(settings)
    assert statuses(settings) == dict.fromkeys(good(12), "ok")
    assert not report.failures
    clean = project(tmp_path_of(tmp_path), recordings, good(12))
    night(clean)
    assert contents(Path(settings.store.path)) == contents(Path(clean.store.path))


def tmp_path_of(folder: Path) -> Path:
    clean = folder / "clean"
    clean.mkdir()
    return clean


def test_a_source_that_vanishes_and_comes_back(recordings: Path, tmp_path: Path) -> None:
    """With the real speech model."""
    settings = project(tmp_path, recordings, good(16))
    calls, away = Path(settings.source.path), tmp_path / "away"

    class Vanishing(LocalRunner):
        def map(self, function: Any, items: Iterable[Any]) -> Iterator[Outcome[Any, Any]]:
            def taken() -> Iterator[Any]:
                for number, item in enumerate(items):
                    if number == 8:
                        calls.rename(away)
                    yield item

            return super().map(function, taken())

    report = nightly.run(settings, nightly.Selection(), make_runner=lambda _: Vanishing(2))
    assert report.counts["failed"] >= 8
    assert report.counts["ok"] >= 4
    assert report.counts["ok"] + report.counts["failed"] == 16
    for failure in report.failures:
        assert failure.stage == "source"
        assert f"{failure.call_id}.wav" in failure.error
    away.rename(calls)
    again = night(settings)
    assert again.counts == {"unchanged": report.counts["ok"], "ok": report.counts["failed"]}
    assert statuses(settings) == dict.fromkeys(good(16), "ok")
