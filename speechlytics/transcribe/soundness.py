"""Is a model whole, does it load, does it hear?"""

from __future__ import annotations

import time
from dataclasses import dataclass

from speechlytics.config import TranscribeConfig
from speechlytics.errors import SpeechlyticsError
from speechlytics.transcribe.engine import engine_settings
from speechlytics.transcribe.process import load_whisper
from speechlytics.transcribe.registry import broken_files, resolve


@dataclass(frozen=True, slots=True)
class ModelCheck:
    """Outcome of ``check``: where the model lies and what is wrong with it, if anything."""

    name: str
    folder: str
    problems: tuple[str, ...]
    load_s: float | None = None

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def check(name: str, *, device: str = "auto") -> ModelCheck:
    """Files and sha256, loading, and hearing the reference clip.

    Raises:
        ModelMissing: the model is not on this machine.
    """
    folder = resolve(name)
    problems = broken_files(name, folder)
    if problems:
        return ModelCheck(name, str(folder), tuple(problems))
    config = TranscribeConfig(model=name, device="cpu" if device == "cpu" else "auto")
    started = time.perf_counter()
    try:
        load_whisper(engine_settings(config))
    except SpeechlyticsError as error:
        return ModelCheck(name, str(folder), (str(error),))
    return ModelCheck(name, str(folder), (), time.perf_counter() - started)
