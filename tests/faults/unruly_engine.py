"""An engine that kills, garbles or answers, by call id; loaded in the real model process."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Sequence
from typing import Any

from speechlytics.transcribe import EngineSettings, Window, WindowTranscript, WindowWord


class UnrulyEngine:
    """``poison-…`` kills the process; ``garbage-KIND-…`` gives nonsense of that kind."""

    model_id = "unruly"
    preferred_windows = 8
    devices = 1

    def transcribe(self, windows: Sequence[Window]) -> list[Any]:
        time.sleep(float(os.environ.get("UNRULY_SLOWNESS_S", "0")))
        if any(window.call_id.startswith("poison") for window in windows):
            os.kill(os.getpid(), signal.SIGKILL)
        answers = [answer(window.call_id, window.index) for window in windows]
        return [given for given in answers if given != "nothing"]


def answer(call_id: str, index: int) -> Any:
    if not call_id.startswith("garbage"):
        return transcript(WindowWord(f"слово{index}", 100, 400, 0.9))
    match call_id.split("-")[1]:
        case "type":
            return {"text": "not a transcript"}
        case "none":
            return None
        case "missing":
            return "nothing"
        case "words":
            return transcript("word", "word")  # type: ignore[arg-type]  # that is the garbage
        case "times":
            return transcript(
                WindowWord("назад", 900, 100, 0.5),
                WindowWord("минус", -5000, -1000, 0.5),
                WindowWord("далеко", 10**9, 10**9 + 5, math.nan),
            )
        case "bytes":
            return transcript(WindowWord("\ud800\x00", 0, 100, 2.0))
        case "loop":
            return transcript(*(WindowWord("да", n, n + 1, 1.0) for n in range(5000)))
    raise ValueError(call_id)


def transcript(*words: WindowWord) -> WindowTranscript:
    return WindowTranscript(
        words=words,
        language="ru",
        language_probability=1.0,
        avg_logprob=math.nan if len(words) == 3 else -0.1,
        no_speech_prob=0.0,
        compression_ratio=1.0,
    )


def load_unruly(settings: EngineSettings) -> UnrulyEngine:
    return UnrulyEngine()
