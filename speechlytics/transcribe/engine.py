"""What a speech engine is, and what it says about a window. Engines other than Whisper fit in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from speechlytics.config import TranscribeConfig
from speechlytics.transcribe.registry import find, model_languages, resolve, window_shape
from speechlytics.transcribe.windows import Window, WindowShape


@dataclass(frozen=True, slots=True)
class WindowWord:
    """A word on the window's clock; ``word`` without surrounding blanks, punctuation kept."""

    word: str
    start_ms: int
    end_ms: int
    probability: float


@dataclass(frozen=True, slots=True)
class WindowTranscript:
    """What an engine heard in a window.

    Attributes:
        words: Words in order.
        language: ISO 639-1.
        language_probability: 1 where the language was given.
        avg_logprob: Mean log-probability per token.
        no_speech_prob: Model's probability that nobody speaks, 0–1.
        compression_ratio: zlib ratio of the text; high means a loop.
        decoding: How the text came about: ``first``, or the fallback that won.
    """

    words: tuple[WindowWord, ...]
    language: str
    language_probability: float
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    decoding: str = "first"

    @property
    def text(self) -> str:
        """All words, blank between."""
        return " ".join(word.word for word in self.words)


@dataclass(frozen=True, slots=True)
class WindowFailure:
    """Why there is no transcript of a window: it kills, hangs or upsets the engine."""

    error: str


WindowResult = WindowTranscript | WindowFailure


class SpeechEngine(Protocol):
    """Turns windows into words."""

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        ...

    @property
    def preferred_windows(self) -> int:
        """How many windows at once keep the engine busy."""
        ...

    @property
    def devices(self) -> int:
        """On how many devices of this machine (GPUs) engines should run side by side."""
        ...

    def transcribe(self, windows: Sequence[Window]) -> list[WindowTranscript]:
        """One transcript per window, in the same order.

        The result for a window depends on it and on the windows of its own call and channel
        (they share a language), never on the rest of the batch. Two threads may call it at once,
        so that one batch's last windows do not leave the device half idle.

        Raises:
            TranscriptionError: the engine answered nonsense.
        """
        ...


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """All that a process needs to load an engine; picklable.

    Attributes:
        folder: Model.
        model_id: Its name as stored.
        shape: How windows are packed for it.
        languages: Languages to choose among; empty means all that the model knows.
        config: The pipeline's settings.
        device_index: Which of several GPUs.
    """

    folder: Path
    model_id: str
    shape: WindowShape
    languages: tuple[str, ...]
    config: TranscribeConfig
    device_index: int = 0


def engine_settings(config: TranscribeConfig) -> EngineSettings:
    """Find the configured model and what it wants.

    Raises:
        ModelMissing: it is not on this machine.
        ConfigError: a window or a language that it cannot have.
    """
    folder = resolve(config.model, download=config.download)
    row = find(config.model)
    model_id = folder.name if row is None else row.name
    if row is not None and row.revision:
        model_id = f"{model_id}@{row.revision[:12]}"
    return EngineSettings(
        folder=folder,
        model_id=model_id,
        shape=window_shape(config),
        languages=model_languages(config),
        config=config,
    )
