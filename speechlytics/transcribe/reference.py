"""A clip of speech, shipped with the package, that every loaded model must hear."""

from __future__ import annotations

import wave
from importlib.resources import files

import numpy as np

from speechlytics.transcribe.features import log_mel
from speechlytics.transcribe.windows import Piece, TimeMap, Window

REFERENCE_LANGUAGES = ("en", "ru")


def reference_window(n_mels: int, language: str) -> Window:
    """The clip as a window: generated speech in ``language``, or English for any other."""
    spoken = language if language in REFERENCE_LANGUAGES else "en"
    resource = files("speechlytics.transcribe").joinpath(f"reference-{spoken}.wav")
    with resource.open("rb") as stream, wave.open(stream) as clip:
        rate_hz = clip.getframerate()
        samples = np.frombuffer(clip.readframes(clip.getnframes()), dtype="<i2")
    duration_ms = len(samples) * 1000 // rate_hz
    return Window(
        call_id="reference",
        channel=0,
        role="unknown",
        index=0,
        features=log_mel(samples, rate_hz, n_mels),
        times=TimeMap((Piece(0, 0, duration_ms, 0, duration_ms),)),
        language=spoken,
    )
