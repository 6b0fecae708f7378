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
_BLOCK_WINDOWS = 1024  # bounds the memory of a long run: 33 s of float32 at 16 kHz
_HALF_TAPS = 16
_FULL_SCALE = np.float32(1 / 32768)


def speech_probability(
    samples: NDArray[np.int16], rate_hz: int, start_ms: int, end_ms: int
) -> NDArray[np.float32]:
    """Probability of speech per 32 ms window of ``[start_ms, end_ms)``, float32.

    Args:
        samples: int16 of one whole channel, shape ``(n_samples,)``.
        rate_hz: 8000 (made 16 kHz here, only this stretch) or 16000.
        start_ms: Where to listen from; the model starts without memory there.
        end_ms: Where to stop; a last incomplete window is padded with zeros.
    """
    count = -(-(end_ms - start_ms) // WINDOW_MS)
    start = start_ms * rate_hz // 1000
    step = WINDOW * rate_hz // RATE_HZ
    context = np.zeros(_CONTEXT, dtype=np.float32)
    state = {"h": np.zeros(_STATE, dtype=np.float32), "c": np.zeros(_STATE, dtype=np.float32)}
    probabilities: list[NDArray[np.float32]] = []
    for first in range(0, count, _BLOCK_WINDOWS):
        windows = min(_BLOCK_WINDOWS, count - first)
        begin = start + first * step
        block = np.concatenate((context, _at_16k(samples, rate_hz, begin, begin + windows * step)))
        context = block[-_CONTEXT:]
        batch = np.lib.stride_tricks.sliding_window_view(block, _CONTEXT + WINDOW)[::WINDOW]
        out, state["h"], state["c"] = _session().run(
            None, {"input": np.ascontiguousarray(batch), **state}
        )
        probabilities.append(out.reshape(-1))
    return np.concatenate(probabilities) if probabilities else np.zeros(0, dtype=np.float32)


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
