"""Bad input under load: the night ends, every other call is done, and the failures are named.

After each night everything must be given back: processes, temporary files, shared memory, the
spool, and the memory of this process.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import gc
import os
import random
import shutil
import signal
import threading
import time
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

MAY_STAY_MB = 48
KILL_EVERY_S = 2.0
SHOTS = 8  # on a slow machine more would fell each process before it has worked
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


@pytest.fixture(scope="module")
def resident_before_mb(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> float:
    """Memory of this process after a night without faults: libraries, packs, word caches."""
    with pytest.MonkeyPatch.context() as patch:
        engine = functools.partial(ModelProcess, load_engine=load_unruly)
        patch.setattr("speechlytics.nightly._night.ModelProcess", engine)
        night(project(tmp_path_factory.mktemp("warm"), recordings, good(12)))
    return resident_mb()


@pytest.fixture(autouse=True)
def everything_is_given_back(
    resident_before_mb: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    shared = shared_memory()
    before = descendants()
    yield
    deadline = time.monotonic() + 10
    while descendants() - before and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not descendants() - before, "processes are left"
    assert not list(temporary.rglob("*")), "temporary files are left"
    assert not shared_memory() - shared, "shared memory is left"
    assert not list(tmp_path.rglob("*.spool")), "finished calls wait in the spool"
    assert resident_mb() - resident_before_mb < MAY_STAY_MB, "memory is kept"


def descendants() -> set[int]:
    """Processes under this one, without the one that tracks semaphores until the very end."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            rest = path.read_text().rpartition(")")[2]
            command = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        state, parent = rest.split()[:2]
        if state != "Z" and b"resource_tracker" not in command:
            parents[int(path.parent.name)] = int(parent)
    found = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {os.getpid()}


def shared_memory() -> set[str]:
    """Shared memory and semaphores that this process holds and that still have a name."""
    gc.collect()
    lines = Path("/proc/self/maps").read_text().splitlines()
    return {line.split()[-1] for line in lines if "/dev/shm/" in line and "(deleted)" not in line}


def resident_mb() -> float:
    """Resident memory of this process once all that can be is handed back."""
    import pyarrow as pa

    gc.collect()
    pa.default_memory_pool().release_unused()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


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


class Killer(threading.Thread):
    """Kills one process of the night, chosen at random, every few seconds."""

    def __init__(self, every_s: float) -> None:
        super().__init__(daemon=True)
        self._every_s, self._chance, self._over = every_s, random.Random(5), threading.Event()
        self.killed: list[int] = []

    def run(self) -> None:
        while len(self.killed) < SHOTS and not self._over.wait(self._every_s):
            if alive := sorted(descendants()):
                victim = self._chance.choice(alive)
                os.kill(victim, signal.SIGKILL)
                self.killed.append(victim)

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_a_process_killed_every_few_seconds(
    unruly: None, recordings: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UNRULY_SLOWNESS_S", "0.4")  # a night long enough for many shots
    calls = good(160)
    settings = project(tmp_path, recordings, calls)
    killer = Killer(KILL_EVERY_S)
    killer.start()
    try:
        report = night(settings)
    finally:
        killer.stop()
    assert len(killer.killed) >= 5
    assert statuses(settings).keys() == set(calls), "every call has its row"
    # a shot may hit the same call's processes until its attempts are used up: then it is named
    named = {failure.call_id: failure.error for failure in report.failures}
    assert len(named) <= len(killer.killed)
    assert report.counts["ok"] == len(calls) - len(named)
    # and what the shots cost is done the next night
    again = nightly.run(settings, nightly.Selection(retry_failed=True))
    assert not again.failures
    assert statuses(settings) == dict.fromkeys(calls, "ok")


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
