"""Silero VAD v6: the judge of whether a sustained sound is a voice.

The ONNX file comes with the faster-whisper wheel and is run here directly: importing
faster-whisper for it would load a whole speech recogniser. Input per step is 512 samples at
16 kHz (32 ms) after 64 samples of context, with the LSTM's two states carried along (source:
faster_whisper/vad.py, SileroVADModel).
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from speechlytics.errors import ModelMissing

RATE_HZ = 16000
WINDOW = 512
WINDOW_MS = 32
_CONTEXT = 64
_STATE = (1, 1, 128)
_MEMORY_WINDOWS = 64
_WARM_UP_WINDOWS = 16
_HALF_TAPS = 16
_FULL_SCALE = np.float32(1 / 32768)


def speech_probability(
    samples: NDArray[np.int16], rate_hz: int, start_ms: int, end_ms: int
) -> NDArray[np.float32]:
    """Probability of speech per 32 ms window of ``[start_ms, end_ms)``, float32.

    The model's memory is wiped every 2 s, and half a second of sound before such a point brings
    it up again. With one long memory it can fall asleep: on a real reverberant caller it heard a
    voice in 10 % of 32 s of speech, and nothing for 22 s; wiped, in 41–49 %.

    Args:
        samples: int16 of one whole channel, shape ``(n_samples,)``.
        rate_hz: 8000 (made 16 kHz here, only this stretch) or 16000.
        start_ms: Where to listen from.
        end_ms: Where to stop; a last incomplete window is padded with zeros.
    """
    count = -(-(end_ms - start_ms) // WINDOW_MS)
    begin = start_ms * rate_hz // 1000
    step = WINDOW * rate_hz // RATE_HZ
    parts = []
    for first in range(0, count, _MEMORY_WINDOWS):
        after = min(count, first + _MEMORY_WINDOWS)
        early = max(0, first - _WARM_UP_WINDOWS)
        wave = _at_16k(samples, rate_hz, begin + early * step, begin + after * step)
        parts.append(_run(wave)[first - early :])
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.float32)


def _run(wave: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probability per window of ``wave`` (float32, whole windows at 16 kHz), without memory."""
    padded = np.concatenate((np.zeros(_CONTEXT, dtype=np.float32), wave))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + WINDOW)[::WINDOW]
    blank = np.zeros(_STATE, dtype=np.float32)
    feed = {"input": np.ascontiguousarray(windows), "h": blank, "c": blank}
    probability: NDArray[np.float32] = _session().run(None, feed)[0].reshape(-1)
    return probability


def _at_16k(samples: NDArray[np.int16], rate_hz: int, start: int, end: int) -> NDArray[np.float32]:
    """``samples[start:end]`` as float32 at 16 kHz, zeros beyond either end."""
    margin = _HALF_TAPS if rate_hz != RATE_HZ else 0
    low, high = max(0, start - margin), max(0, min(len(samples), end + margin))
    piece = np.zeros(end - start + 2 * margin, dtype=np.float32)
    if low < high:
        at = low - (start - margin)
        piece[at : at + high - low] = samples[low:high] * _FULL_SCALE
    if rate_hz == RATE_HZ:
        return piece
    doubled = np.empty(2 * (end - start), dtype=np.float32)
    doubled[0::2] = piece[margin:-margin]
    doubled[1::2] = np.convolve(piece, _halfway(), "valid")[1 : 1 + end - start]
    return doubled


@lru_cache(maxsize=1)
def _halfway() -> NDArray[np.float32]:
    """Windowed-sinc taps that give the value halfway between two samples (8 → 16 kHz)."""
    offsets = np.arange(-_HALF_TAPS, _HALF_TAPS) + 0.5
    taps: NDArray[np.float64] = np.sinc(offsets) * np.kaiser(2 * _HALF_TAPS, 7.0)
    return np.asarray(taps / taps.sum(), dtype=np.float32)


@lru_cache(maxsize=1)
def _session() -> Any:
    """The model, loaded once per process and kept to one thread: workers fill the cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        str(model_path()), providers=["CPUExecutionProvider"], sess_options=options
    )


def model_path() -> Path:
    """Where the installed faster-whisper keeps the model.

    Raises:
        ModelMissing: faster-whisper is not installed, or without a Silero VAD model.
    """
    spec = find_spec("faster_whisper")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = sorted(file for f in folders for file in Path(f, "assets").glob("silero_vad_v6*.onnx"))
    if not found:
        raise ModelMissing(
            "silero_vad_v6.onnx is missing from the installed faster-whisper; "
            "reinstall it: pip install --force-reinstall 'faster-whisper>=1.2.1,<2'"
        )
    return found[-1]
