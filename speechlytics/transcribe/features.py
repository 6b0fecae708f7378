"""Log-mel features as Whisper expects them, with numpy alone.

Processes that decode and measure must not load a speech library, so this is a second
implementation of ``faster_whisper.feature_extractor``; a test compares the two.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

HOP_MS = 10
FRAMES_PER_S = 1000 // HOP_MS
_WHISPER_RATE_HZ = 16000
_WINDOW_S = 0.025  # 400 samples at 16 kHz, 200 at 8 kHz: the same 40 Hz between bins
_CHUNK_FRAMES = 128
_BLOCK_FRAMES = 16
_FLOOR = 1e-10
_DYNAMIC_RANGE = 8.0  # decades below the window's maximum that survive

# Slaney's mel scale: linear to 1 kHz, logarithmic above.
_HZ_PER_MEL = 200.0 / 3
_BREAK_HZ = 1000.0
_LOG_STEP = np.log(6.4) / 27.0
_TOP_MEL = 45.245640471924965  # 8 kHz


def log_mel(samples: NDArray[np.int16], rate_hz: int, n_mels: int) -> NDArray[np.float32]:
    """Log-mel spectrogram of mono audio.

    At 8 kHz the same 25 ms windows hold half the samples: the lower 101 of 201 bins exist,
    with a quarter of the power. Nothing is resampled.

    Args:
        samples: int16, shape ``(n_samples,)``.
        rate_hz: 8000 or 16000.
        n_mels: 80, or 128 for large-v3 and its relatives.

    Returns:
        float32, shape ``(n_mels, n_samples // hop + 1)``; one frame per 10 ms.

    Raises:
        ValueError: another rate.
    """
    if rate_hz not in (8000, _WHISPER_RATE_HZ):
        raise ValueError(f"features need 8000 or 16000 Hz, not {rate_hz}")
    size, hop = int(rate_hz * _WINDOW_S), rate_hz * HOP_MS // 1000
    wave = samples.astype(np.float32)
    wave *= np.float32(1 / 32768)
    wave = np.pad(wave, (0, max(hop, size - len(wave))))
    wave = np.pad(wave, size // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(wave, size)[::hop][: len(samples) // hop + 1]
    filters = _filters(n_mels)[:, : size // 2 + 1] * np.float32((400 / size) ** 2)
    mel = _mel_power(frames, np.ascontiguousarray(filters.T))
    np.log10(np.maximum(mel, np.float32(_FLOOR), out=mel), out=mel)
    np.maximum(mel, mel.max() - np.float32(_DYNAMIC_RANGE), out=mel)
    mel += np.float32(4.0)
    mel /= np.float32(4.0)
    return np.ascontiguousarray(mel.T)


def _mel_power(frames: NDArray[np.float32], filters: NDArray[np.float32]) -> NDArray[np.float32]:
    """Power of each frame in each band: float32, shape ``(n_frames, n_mels)``.

    Worked off in chunks that stay in the core's cache (1.6 times faster), and multiplied in blocks
    so small that BLAS starts no threads: waking them costs five times the product itself, and the
    other cores are busy.
    """
    mel = np.empty((len(frames), filters.shape[1]), np.float32)
    window = _hann(frames.shape[1])
    for start in range(0, len(frames), _CHUNK_FRAMES):
        spectrum = np.fft.rfft(frames[start : start + _CHUNK_FRAMES] * window, axis=-1)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        out = mel[start : start + _CHUNK_FRAMES]
        for at in range(0, len(power), _BLOCK_FRAMES):
            np.matmul(power[at : at + _BLOCK_FRAMES], filters, out=out[at : at + _BLOCK_FRAMES])
    return mel


@lru_cache(maxsize=2)
def _hann(size: int) -> NDArray[np.float32]:
    return np.hanning(size + 1)[:-1].astype(np.float32)


@lru_cache(maxsize=2)
def _filters(n_mels: int) -> NDArray[np.float32]:
    """Triangles of equal area on Slaney's mel scale, shape ``(n_mels, 201)``, 0 to 8 kHz."""
    mels = np.linspace(0.0, _TOP_MEL, n_mels + 2)
    break_mel = _BREAK_HZ / _HZ_PER_MEL
    edges = np.where(
        mels < break_mel,
        mels * _HZ_PER_MEL,
        _BREAK_HZ * np.exp(_LOG_STEP * (mels - break_mel)),
    )
    bins = np.linspace(0.0, _WHISPER_RATE_HZ / 2, 201)
    widths = np.diff(edges)[:, None]
    distance = edges[:, None] - bins[None, :]
    rising, falling = -distance[:-2] / widths[:-1], distance[2:] / widths[1:]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)
