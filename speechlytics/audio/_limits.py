"""What one recording may become, and what it became."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechlytics.errors import AudioError

_MIN_RATE_HZ, _MAX_RATE_HZ = 2_000, 384_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one file may become: seconds and channels."""

    max_duration_s: int
    max_channels: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """Samples (int16, ``(channels, n)``) with what was found about the file they came from."""

    samples: NDArray[np.int16]
    rate_hz: int
    codec: str
    stored_rate_hz: int
    stored_channels: int
    loss_share: float


def target_rate(stored_rate_hz: int) -> int:
    """8000 for recordings at 8 kHz or less, else 16000 (Hz)."""
    return 8000 if stored_rate_hz <= 8000 else 16000


def check_shape(uri: str, channels: int, rate_hz: int, limits: Limits) -> None:
    """Refuse a number of channels or a sampling rate that no call recording has.

    Raises:
        AudioError: naming the value and the bounds.
    """
    if not 1 <= channels <= limits.max_channels:
        raise AudioError(
            f"{uri}: {channels} channels; 1 to audio.max_channels = {limits.max_channels} are read"
        )
    if not _MIN_RATE_HZ <= rate_hz <= _MAX_RATE_HZ:
        raise AudioError(
            f"{uri}: sampling rate {rate_hz} Hz; {_MIN_RATE_HZ} to {_MAX_RATE_HZ} Hz are read"
        )


def too_long(uri: str, limits: Limits) -> AudioError:
    """The error for a recording, or a decompression bomb, beyond the configured length."""
    return AudioError(
        f"{uri}: longer than audio.max_duration_s = {limits.max_duration_s}; "
        "raise it if such calls are real"
    )
