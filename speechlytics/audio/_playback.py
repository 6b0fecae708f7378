"""What a browser needs: a recording as plain WAV, and its outline."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from speechlytics.audio._decode import decode
from speechlytics.config import AudioConfig
from speechlytics.records import Waveform

_FULL_SCALE = 32768.0


def transcode(uris: Sequence[str], config: AudioConfig) -> bytes:
    """Any recording as 16-bit PCM WAV, which every browser plays; legs become channels.

    Raises:
        AudioError: the recording cannot be decoded.
    """
    return wav_bytes(decode(uris, config))


def wav_bytes(waveform: Waveform) -> bytes:
    """A waveform as a 16-bit PCM WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(waveform.samples.shape[0])
        file.setsampwidth(2)
        file.setframerate(waveform.rate_hz)
        file.writeframes(np.ascontiguousarray(waveform.samples.T, dtype="<i2").tobytes())
    return buffer.getvalue()


def peaks(waveform: Waveform, per_second: int) -> NDArray[np.float32]:
    """Outline for drawing: highest magnitude in each ``1 / per_second`` s, 0–1.

    Returns:
        float32, shape ``(channels, ceil(duration · per_second))``.
    """
    channels, length = waveform.samples.shape
    if not length:
        return np.zeros((channels, 0), np.float32)
    count = -(-length * per_second // waveform.rate_hz)
    starts = np.arange(count, dtype=np.int64) * waveform.rate_hz // per_second
    highest = np.maximum.reduceat(waveform.samples, starts, axis=1).astype(np.float32)
    lowest = np.minimum.reduceat(waveform.samples, starts, axis=1).astype(np.float32)
    return (np.maximum(highest, -lowest) / _FULL_SCALE).astype(np.float32)
