from __future__ import annotations

import numpy as np
import pytest
from faster_whisper.feature_extractor import FeatureExtractor

from speechlytics.transcribe import log_mel
from tests.spoken_calls import sentences


def at_16_khz(samples: np.ndarray) -> np.ndarray:
    """Band-limited to 4 kHz and exact: twice as many samples by zero-padding the spectrum."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    return np.fft.irfft(spectrum, 2 * len(samples)) * 2


@pytest.mark.parametrize("n_mels", [80, 128])
def test_16_khz_features_equal_those_of_faster_whisper(n_mels: int) -> None:
    samples = np.round(at_16_khz(sentences()[0].samples)).astype(np.int16)
    reference = FeatureExtractor(feature_size=n_mels)(samples.astype(np.float32) / 32768)
    ours = log_mel(samples, 16000, n_mels)
    assert ours.dtype == np.float32
    assert ours.shape == reference.shape
    # The last frames differ: silence is added after the end there by 10 ms, here by one hop.
    assert np.abs(ours - reference)[:, :-3].max() < 1e-3


@pytest.mark.parametrize("n_mels", [80, 128])
def test_8_khz_features_are_those_of_the_resampled_sound(n_mels: int) -> None:
    samples = sentences()[1].samples
    reference = FeatureExtractor(feature_size=n_mels)(
        (at_16_khz(samples) / 32768).astype(np.float32)
    )
    ours = log_mel(samples, 8000, n_mels)
    assert ours.shape == reference.shape
    below_4_khz = np.flatnonzero(reference.max(axis=1) > reference.min() + 0.2)[:-2]
    difference = np.abs(ours - reference)[below_4_khz, :-3]
    assert np.median(difference) < 0.01
    assert np.quantile(difference, 0.99) < 0.1


def test_very_short_sound_has_features() -> None:
    assert log_mel(np.zeros(1, np.int16), 8000, 80).shape == (80, 1)


def test_other_rates_are_refused() -> None:
    with pytest.raises(ValueError, match="11025"):
        log_mel(np.zeros(100, np.int16), 11025, 80)
