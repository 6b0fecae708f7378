"""Properties of decoding that hold for any samples."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from speechlytics.audio import _ffmpeg, _plain, decode, peaks
from speechlytics.audio._limits import Limits
from speechlytics.config import AudioConfig
from tests.data.audio.make import pcm16

SAMPLES = hnp.arrays(
    np.int16,
    st.tuples(st.integers(1, 3), st.integers(1, 600)),
    elements=st.integers(-32768, 32767),
)
CONFIG = AudioConfig(fake_stereo_similarity=1.0)


@given(SAMPLES, st.sampled_from([8000, 16000]))
@settings(max_examples=60, deadline=None)
def test_pcm16_comes_back_bit_for_bit_by_both_paths(samples, rate_hz):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        path.write_bytes(pcm16(samples, rate_hz))
        waveform = decode([str(path)], CONFIG)
        header = _plain.wav_header(path)
        general = _ffmpeg.decode_file(path, "a.wav", Limits(60, 8))
    assert header is not None
    assert np.array_equal(waveform.samples, samples)
    assert np.array_equal(general.samples, samples)
    assert waveform.rate_hz == general.rate_hz == rate_hz


@given(SAMPLES, st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_peaks_bound_every_sample(samples, per_second):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.wav"
        path.write_bytes(pcm16(samples, 8000))
        outline = peaks(decode([str(path)], CONFIG), per_second)
    assert outline.shape[1] == -(-samples.shape[1] * per_second // 8000)
    assert outline.max() == np.float32(np.abs(samples.astype(int)).max() / 32768)
