"""An engine whose windows misbehave by command; the process around it is the real one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe import EngineSettings, Window, WindowTranscript, WindowWord


class FaultyEngine:
    """A call id that starts with the name of a fault commits it on its window 1."""

    model_id = "faulty"
    preferred_windows = 8

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
        signal.signal(signal.SIGSEGV, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif fault == "hung":
        time.sleep(3600)
    elif fault == "upset":
        raise ValueError("garbage")
    elif fault == "slow":
        time.sleep(0.3)


def load_faulty(settings: EngineSettings) -> FaultyEngine:
    return FaultyEngine()


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
