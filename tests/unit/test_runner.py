"""Only the guilty item fails, whatever its process does."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest

from speechlytics.runner import LocalRunner, Outcome, _watch


def _behave(item: str) -> str:
    match item.split(":", maxsplit=1)[0]:
        case "raise":
            raise ValueError(item)
        case "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        case "segv":
            ctypes.string_at(0)
        case "hang":
            time.sleep(60)
        case "eat":
            _ = bytearray(4 * 1024**3)
    return item.upper()


def _by_item(outcomes: Iterator[Outcome[str, str]]) -> dict[str, Outcome[str, str]]:
    return {outcome.item: outcome for outcome in outcomes}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, Outcome[str, str]]:
    items = ["a", "kill", "b", "raise", "segv", "hang", "c", "eat", "d", "e"]
    with LocalRunner(2, timeout_s=4, memory_mb=2048, attempts=2) as runner:
        return _by_item(runner.map(_behave, items))


@pytest.mark.parametrize(
    ("item", "kind", "attempts"),
    [
        ("kill", "crash", 2),
        ("segv", "crash", 2),
        ("hang", "timeout", 2),
        ("raise", "error", 1),
        ("eat", "memory", 1),
    ],
)
def test_guilty_item_says_how_it_ended(
    outcomes: dict[str, Outcome[str, str]], item: str, kind: str, attempts: int
) -> None:
    assert outcomes[item].kind == kind
    assert outcomes[item].attempts == attempts
    assert outcomes[item].result is None


@pytest.mark.parametrize("item", ["a", "b", "c", "d", "e"])
def test_neighbours_finish(outcomes: dict[str, Outcome[str, str]], item: str) -> None:
    assert outcomes[item].kind == "ok"
    assert outcomes[item].result == item.upper()


def test_items_are_taken_only_as_fast_as_outcomes_are_consumed() -> None:
    taken = 0

    def items() -> Iterator[str]:
        nonlocal taken
        for number in range(50):
            taken += 1
            yield f"x{number}"

    with LocalRunner(1, ahead=2) as runner:
        outcomes = runner.map(_behave, items())
        for consumed in range(1, 6):
            next(outcomes)
            assert taken <= consumed + 3
        assert len(list(outcomes)) == 45


def test_idle_workers_killed_from_outside_cost_nothing() -> None:
    """Pebble gives up a pool whose idle workers die; the runner goes on with a new one."""
    with LocalRunner(2, attempts=4) as runner:
        outcomes = runner.map(_behave, [f"x{number}" for number in range(12)])
        done = []
        for outcome in outcomes:
            done.append(outcome)
            if len(done) in (3, 6):
                for child in multiprocessing.active_children():
                    child.kill()
    assert sorted(outcome.item for outcome in done) == sorted(f"x{n}" for n in range(12))
    assert {outcome.kind for outcome in done} == {"ok"}


class KillsItsReader:
    """Kills who unpickles it, as often as it has lives: pebble does not hear that it was taken."""

    def __init__(self, folder: Path, lives: int) -> None:
        self.folder, self.lives = folder, lives

    def __reduce__(self) -> tuple[Callable[[Path, int], KillsItsReader], tuple[Path, int]]:
        return _read_or_die, (self.folder, self.lives)


def _read_or_die(folder: Path, lives: int) -> KillsItsReader:
    used = len(list(folder.iterdir()))
    if used < lives:
        (folder / str(used)).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return KillsItsReader(folder, lives)


def _answer(item: str | KillsItsReader) -> str:
    return item if isinstance(item, str) else "read"


@pytest.mark.parametrize(("lives", "kind"), [(1, "ok"), (9, "crash")])
def test_an_item_that_is_lost_with_its_taker_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lives: int, kind: str
) -> None:
    for name, value in (("CHECK_EVERY_S", 0.2), ("GONE_AFTER_S", 1.0), ("STUCK_AFTER_S", 4.0)):
        monkeypatch.setattr(_watch, name, value)
    items = ["a", "b", KillsItsReader(tmp_path, lives), "c", "d", "e"]
    with LocalRunner(2, attempts=3) as runner:
        outcomes = list(runner.map(_answer, items))
    assert sorted(o.item for o in outcomes if isinstance(o.item, str)) == ["a", "b", "c", "d", "e"]
    (lost,) = (outcome for outcome in outcomes if not isinstance(outcome.item, str))
    assert lost.kind == kind
    if kind == "ok":  # whoever breaks pool after pool may take along neighbours not yet begun
        assert {outcome.kind for outcome in outcomes} == {"ok"}


def test_a_pool_that_waited_long_for_its_first_item_is_not_stuck(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    monkeypatch.setattr(_watch.time, "monotonic", lambda: now_s[0])
    watch = _watch.Watch(timeout_s=None)
    now_s[0] = 10 * _watch.STUCK_AFTER_S  # a large model was loaded meanwhile
    under_way = {Future[str](): watch.begin("a", 1)}
    now_s[0] += _watch.CHECK_EVERY_S
    assert not watch.lost(under_way)
    now_s[0] += _watch.STUCK_AFTER_S
    assert watch.lost(under_way) == under_way
    watch.close()
