"""The supervised model process: recovery, isolation, backpressure, clean ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from speechlytics.config import TranscribeConfig
from speechlytics.errors import TranscriptionError
from speechlytics.transcribe import (
    EngineSettings,
    ModelProcess,
    Piece,
    TimeMap,
    Window,
    WindowFailure,
    WindowShape,
    WindowTranscript,
    engine_settings,
    load_whisper,
    prepare_windows,
)
from speechlytics.transcribe.child import EngineFactory
from tests.end_to_end import faulty_engine
from tests.spoken_calls import spoken_call


def settings(**changes: object) -> EngineSettings:
    values: dict[str, object] = {"hang_timeout_s": 1, "slowest_rtf": 0.1, "load_timeout_s": 60}
    config = TranscribeConfig(**(values | changes))  # type: ignore[arg-type]  # by name
    return EngineSettings(Path("model"), "faulty", WindowShape(80, 5.0, (10.0,)), (), config)


def faulty(factory: EngineFactory = faulty_engine.load_faulty, **changes: object) -> ModelProcess:
    return ModelProcess(settings(**changes), load_engine=factory)


def windows(call_id: str, count: int = 3) -> tuple[Window, ...]:
    times = TimeMap((Piece(0, 0, 100, 0, 100),))
    features = np.zeros((80, 11), np.float32)
    return tuple(Window(call_id, 0, "agent", i, features, times) for i in range(count))


def texts(results: tuple[object, ...]) -> list[str]:
    return [r.text if isinstance(r, WindowTranscript) else "failed" for r in results]


def test_every_call_gets_its_own_results_in_order() -> None:
    with faulty() as model:
        futures = {call: model.submit(windows(call, n)) for n, call in enumerate("abcdef")}
        for n, call in enumerate("abcdef"):
            assert texts(futures[call].result(60)) == [f"{call}:{i}" for i in range(n)]
        assert model.restarts == 0


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("killed", "SIGKILL"),
        ("segv", "SIGSEGV"),
        ("hung", "gave no answer"),
        ("upset", "ValueError: garbage"),
    ],
)
def test_a_poison_window_is_found_and_costs_nobody_else(fault: str, reason: str) -> None:
    with faulty() as model:
        futures = {call: model.submit(windows(call, 2)) for call in ("a", fault, "b")}
        for call in ("a", "b"):
            assert texts(futures[call].result(120)) == [f"{call}:0", f"{call}:1"]
        results = futures[fault].result(120)
        assert texts(results) == [f"{fault}:0", "failed"]
        failure = results[1]
        assert isinstance(failure, WindowFailure)
        assert reason in failure.error
        assert texts(model.transcribe(windows("after"))) == ["after:0", "after:1", "after:2"]


def test_an_engine_that_answers_too_little_is_not_believed() -> None:
    with faulty() as model:
        results = model.transcribe(windows("short", 2))
    assert [r.error for r in results if isinstance(r, WindowFailure)] == [
        "0 answers for 1 windows"
    ] * 2


def test_handing_in_waits_while_the_queue_is_full() -> None:
    with faulty(queue_windows=4, hang_timeout_s=60) as model:
        calls = [f"slow-{n}" for n in range(10)]
        most = 0
        done = threading.Event()

        def hand_in() -> None:
            nonlocal most
            for future in [model.submit(windows(call)) for call in calls]:
                assert len(future.result(60)) == 3
            done.set()

        thread = threading.Thread(target=hand_in)
        thread.start()
        while not done.wait(0.01):
            most = max(most, model.waiting_windows)
        thread.join()
        assert 0 < most <= 8  # the engine's batch, more than is configured


def test_the_next_batch_is_there_before_the_last_one_is_done() -> None:
    # Each of two full batches waits in the engine for the other.
    with faulty(hang_timeout_s=60, queue_windows=16) as model:
        futures = [model.submit(windows(f"meet-{n}", 8)) for n in range(4)]
        for n, future in enumerate(futures):
            assert texts(future.result(120)) == [f"meet-{n}:{i}" for i in range(8)]
        assert model.restarts == 0


def test_one_process_per_device_behind_one_queue() -> None:
    with faulty(faulty_engine.load_many) as model:
        assert len(set(model.pids)) == 3
        futures = [model.submit(windows(f"slow-{n}", 3)) for n in range(30)]
        results = [future.result(120) for future in futures]
    assert [texts(r) for r in results] == [[f"slow-{n}:{i}" for i in range(3)] for n in range(30)]
    heard = {r.language for call in results for r in call if isinstance(r, WindowTranscript)}
    assert heard == {"d0", "d1", "d2"}


@pytest.mark.parametrize("calls", [10, 200])
def test_what_waits_stays_bounded_however_long_the_night(calls: int) -> None:
    """Features are the bulk of the memory: the queue's and those of two batches, no more."""
    handed_in: list[weakref.ref[np.ndarray]] = []
    most = 0

    def fresh(call_id: str) -> tuple[Window, ...]:
        made = tuple(replace(w, features=w.features.copy()) for w in windows(call_id))
        handed_in.extend(weakref.ref(w.features) for w in made)
        return made

    with faulty(queue_windows=9) as model:
        futures = []
        for n in range(calls):
            futures.append(model.submit(fresh(f"c{n}")))
            most = max(most, sum(features() is not None for features in handed_in))
            if n == calls // 2:
                time.sleep(0.2)
        done = [texts(future.result(60)) for future in futures]
    assert done == [[f"c{n}:{i}" for i in range(3)] for n in range(calls)]
    # waiting: at most 9; with the process: two batches of at most 8; one call just handed in
    assert most <= 9 + 2 * 8 + 3 + 3


def test_working_time_of_the_engine_is_told() -> None:
    with faulty() as model:
        assert model.busy_s == 0
        model.transcribe(windows("slow-1"))
        first = model.busy_s
        assert first >= 0.3
        model.transcribe(windows("slow-2"))
        assert model.busy_s >= first + 0.3


def test_many_threads_may_hand_in() -> None:
    with faulty() as model, ThreadPoolExecutor(8) as pool:
        calls = [f"c{n}" for n in range(40)]
        results = list(pool.map(lambda call: model.transcribe(windows(call, 2)), calls))
    assert [texts(r) for r in results] == [[f"{call}:0", f"{call}:1"] for call in calls]


def test_a_model_that_cannot_work_is_an_error_at_the_start() -> None:
    with pytest.raises(TranscriptionError, match="heard nothing"), faulty(faulty_engine.load_never):
        raise AssertionError("must not start")
    with pytest.raises(TranscriptionError, match="RuntimeError: bad library"):
        faulty(faulty_engine.load_broken).start()
    with pytest.raises(TranscriptionError, match=r"died 3 times while loading \(SIGKILL\)"):
        faulty(faulty_engine.load_dying).start()
    with pytest.raises(TranscriptionError, match="no answer for 1 s"):
        faulty(faulty_engine.load_slowly, load_timeout_s=1).start()


def test_leaving_with_an_error_drops_what_waits() -> None:
    model = faulty(hang_timeout_s=600)
    model.start()
    futures = [model.submit(windows(call)) for call in ("hung-1", "b", "c", "d", "e")]
    model.__exit__(KeyError, KeyError("elsewhere"), None)
    for future in futures:
        assert isinstance(future.exception(10), TranscriptionError)
    with pytest.raises(TranscriptionError, match="closed"):
        model.submit(windows("late"))
    assert not [p for p in multiprocessing.active_children() if p.name == "speech-model"]


def test_a_killed_whisper_process_recovers_with_the_same_transcript() -> None:
    config = TranscribeConfig(cpu_threads=1)
    whisper = engine_settings(config)
    call = spoken_call([(0, 2), (1, 4), (0, 6)])
    packed = prepare_windows(
        call.waveform, call.activity, call_id="a", config=config, shape=whisper.shape
    )
    with ModelProcess(whisper) as model:
        first = model.transcribe(packed)
        assert model.pid is not None
        os.kill(model.pid, signal.SIGKILL)
        again = model.transcribe(packed)
        assert model.restarts == 1
    assert first == again
    assert list(first) == load_whisper(whisper).transcribe(packed)


def test_it_works_from_a_script_and_dies_with_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os, signal, sys\n"
        "from speechlytics.config import TranscribeConfig\n"
        "from speechlytics.transcribe import ModelProcess, engine_settings\n"
        "if __name__ == '__main__':\n"
        "    with ModelProcess(engine_settings(TranscribeConfig())) as model:\n"
        "        print(model.pid, flush=True)\n"
        "        if sys.argv[1:]: os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, timeout=60)
    assert not done.stderr
    # The orphan holds the same stdout: run() returns only when it has ended as well.
    done = subprocess.run(
        [sys.executable, script, "die"], check=False, stdout=subprocess.PIPE, timeout=60
    )
    assert done.returncode == -signal.SIGKILL
