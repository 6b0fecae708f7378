"""Waveforms of many calls → segments with words.

Three parts that run in three places: ``prepare_windows`` in the workers that decode and measure
one call each, ``ModelProcess`` around one ``SpeechEngine`` in a process of its own, and
``segments_from`` wherever the transcript is wanted. Importing this package loads no speech
library.
"""

from __future__ import annotations

from speechlytics.transcribe.engine import (
    EngineSettings,
    SpeechEngine,
    WindowFailure,
    WindowResult,
    WindowTranscript,
    WindowWord,
    engine_settings,
)
from speechlytics.transcribe.features import log_mel
from speechlytics.transcribe.process import ModelProcess, load_whisper
from speechlytics.transcribe.registry import (
    ModelRow,
    broken_files,
    fetch,
    find,
    list_models,
    resolve,
    shipped_models_folder,
    window_shape,
)
from speechlytics.transcribe.remote import RayModel
from speechlytics.transcribe.segments import segments_from
from speechlytics.transcribe.soundness import ModelCheck, check
from speechlytics.transcribe.windows import (
    Piece,
    TimeMap,
    Window,
    WindowShape,
    prepare_windows,
)

__all__ = [
    "EngineSettings",
    "ModelCheck",
    "ModelProcess",
    "ModelRow",
    "Piece",
    "RayModel",
    "SpeechEngine",
    "TimeMap",
    "Window",
    "WindowFailure",
    "WindowResult",
    "WindowShape",
    "WindowTranscript",
    "WindowWord",
    "broken_files",
    "check",
    "engine_settings",
    "fetch",
    "find",
    "list_models",
    "load_whisper",
    "log_mel",
    "prepare_windows",
    "resolve",
    "segments_from",
    "shipped_models_folder",
    "window_shape",
]
