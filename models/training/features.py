"""Log-mel features of 8 kHz audio, equal to Whisper's features of the same audio at 16 kHz.

A 16 kHz spectrum of 400 samples and an 8 kHz spectrum of 200 samples have the same 40 Hz bins.
Upsampled telephone audio has nothing above 4 kHz, so the lower 101 filter columns are enough;
the factor 4 makes up for the half-length transform.
"""

from __future__ import annotations

import torch
from faster_whisper.feature_extractor import FeatureExtractor

RATE_HZ = 8000
MELS = 80
FRAME_SAMPLES = 80
FRAME_S = 0.01
_WINDOW_SAMPLES = 200
_BINS = 101
_FLOOR = 1e-10
_DYNAMIC_RANGE = 8.0

_FILTERS = torch.tensor(
    FeatureExtractor.get_mel_filters(16000, 400, MELS).astype("float32")[:, :_BINS]
).contiguous()
_WINDOW = torch.hann_window(_WINDOW_SAMPLES)


def log_mel(samples: torch.Tensor, louder: torch.Tensor | float = 0.0) -> torch.Tensor:
    """Features (batch, 80, frames) of samples (batch, n) at 8 kHz.

    `louder` raises the reference maximum (log10 units), as if louder speech stood elsewhere in the
    recording that the features are normalised over.
    """
    spectrum = torch.stft(
        samples,
        _WINDOW_SAMPLES,
        FRAME_SAMPLES,
        window=_WINDOW,
        center=True,
        pad_mode="reflect",
        return_complex=True,
    )[..., :-1]
    power = 4 * (spectrum.real**2 + spectrum.imag**2)
    levels = torch.log10((_FILTERS @ power).clamp(min=_FLOOR))
    top = levels.amax((1, 2), keepdim=True) + louder
    return (torch.maximum(levels, top - _DYNAMIC_RANGE) + 4) / 4
