"""One machine at a time: two that come together, one that dies, one that works for long."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest

from speechlytics.errors import StoreLocked
from speechlytics.store import _lease
from speechlytics.store._lease import lease
from speechlytics.store.durable import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A folder stands for the bucket: both refuse a second entry of one version."""
    return Place(str(tmp_path))


def test_a_second_machine_is_told_who_writes(place: Place) -> None:
    second = pytest.raises(StoreLocked, match="is writing to this store")
    with lease(place), second, lease(place):
        raise AssertionError
    with lease(place):
        assert _lease._held(place, _lease._open(place))["token"]
    assert _lease._held(place, _lease._open(place)) == {}


def test_of_many_that_come_at_once_one_gets_in(place: Place) -> None:
    _lease._open(place)
    together, leave = threading.Barrier(8), threading.Event()
    inside: list[int] = []
    refused: list[StoreLocked] = []

    def come(number: int) -> None:
        together.wait()
        try:
            with lease(place):
                inside.append(number)
                leave.wait(30)
        except StoreLocked as error:
            refused.append(error)

    threads = [threading.Thread(target=come, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 30
    while len(inside) + len(refused) < 8 and time.monotonic() < deadline:
        time.sleep(0.01)
    leave.set()
    for thread in threads:
        thread.join()
    assert (len(inside), len(refused)) == (1, 7)


def test_what_a_dead_machine_held_runs_out(place: Place) -> None:
    dead = {"token": "gone", "pid": 1, "host": "gone", "since": "then"}
    _lease._write(_lease._open(place), {**dead, "until": time.time() + 60})
    with pytest.raises(StoreLocked, match="process 1 on gone"), lease(place):
        raise AssertionError
    _lease._write(_lease._open(place), {**dead, "until": time.time() - 1})
    with lease(place):
        assert _lease._held(place, _lease._open(place))["token"] != "gone"


def test_a_long_night_renews_it(place: Place) -> None:
    with lease(place, term_s=1.0):
        first = _lease._held(place, _lease._open(place))["until"]
        deadline = time.monotonic() + 20
        while _lease._held(place, _lease._open(place))["until"] == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        with pytest.raises(StoreLocked), lease(place):
            raise AssertionError


def test_who_was_taken_over_leaves_the_new_holder_alone(
    place: Place, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"token": "other", "pid": 2, "host": "b", "since": "now", "until": time.time() + 60}
    with lease(place):
        _lease._write(_lease._open(place), other)
    assert _lease._held(place, _lease._open(place)) == json.loads(json.dumps(other))
