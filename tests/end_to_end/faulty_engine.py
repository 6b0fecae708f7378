"""An engine whose windows misbehave by command; the process around it is the real one."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Sequence
from dataclasses import replace

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe import EngineSettings, Window, WindowTranscript, WindowWord


class FaultyEngine:
    """A call id that starts with the name of a fault commits it on its window 1."""

    model_id = "faulty"
    preferred_windows = 8
    devices = 1

    def transcribe(self, windows: Sequence[Window]) -> list[WindowTranscript]:
        for window in windows:
            if window.index == 1:
                misbehave(window.call_id)
        if any(window.call_id.startswith("short") for window in windows):
            windows = windows[:-1]
        return [
            WindowTranscript(
                words=(WindowWord(f"{window.call_id}:{window.index}", 0, 10, 1.0),),
                language="ru",
                language_probability=1.0,
                avg_logprob=-0.1,
                no_speech_prob=0.0,
                compression_ratio=1.0,
            )
            for window in windows
        ]


def misbehave(call_id: str) -> None:
    fault = call_id.partition("-")[0]
    if fault == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif fault == "segv":
        ctypes.string_at(0)
    elif fault == "hung":
        time.sleep(3600)
    elif fault == "upset":
        raise ValueError("garbage")
    elif fault == "slow":
        time.sleep(0.3)
    elif fault == "meet":
        _MEETING.wait(60)


# Two batches pass it only if the process has both at once.
_MEETING = threading.Barrier(2)


def load_faulty(settings: EngineSettings) -> FaultyEngine:
    return FaultyEngine()


class ManyEngines(FaultyEngine):
    """As on a machine with three devices; says which one it was."""

    devices = 3

    def __init__(self, settings: EngineSettings) -> None:
        self._language = f"d{settings.device_index}"

    def transcribe(self, windows: Sequence[Window]) -> list[WindowTranscript]:
        return [replace(r, language=self._language) for r in super().transcribe(windows)]


def load_many(settings: EngineSettings) -> ManyEngines:
    return ManyEngines(settings)


def load_never(settings: EngineSettings) -> FaultyEngine:
    raise TranscriptionError("heard nothing in the reference clip")


def load_broken(settings: EngineSettings) -> FaultyEngine:
    raise RuntimeError("bad library")


def load_dying(settings: EngineSettings) -> FaultyEngine:
    os.kill(os.getpid(), signal.SIGKILL)
    return FaultyEngine()


def load_slowly(settings: EngineSettings) -> FaultyEngine:
    time.sleep(3600)
    return FaultyEngine()
