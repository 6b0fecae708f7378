"""Three-minute stereo calls out of the tests' sentences, as files of any plain codec."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechlytics.records import Recording
from tests.spoken_calls import RATE_HZ, sentences


def call(number: int, seconds: int = 180) -> NDArray[np.int16]:
    """int16, shape ``(2, seconds * 8000)``: turns with short pauses, now and then a long one."""
    rng = np.random.default_rng(number)
    samples = rng.normal(0, 12.0, (2, seconds * RATE_HZ))
    at, turn = RATE_HZ // 2, 0
    while True:
        channel = turn % 2
        for _ in range(rng.integers(1, 4)):
            sentence = sentences()[rng.integers(len(sentences()))].samples
            if at + len(sentence) > samples.shape[1]:
                return np.clip(np.round(samples), -32768, 32767).astype(np.int16)
            samples[channel, at : at + len(sentence)] += sentence
            at += len(sentence) + int(rng.integers(150, 600)) * RATE_HZ // 1000
        at += (12 if turn % 9 == 8 else 0) * RATE_HZ
        turn += 1


def write_wav(path: Path, samples: NDArray[np.int16], law: str = "") -> Path:
    """Write PCM, or G.711 when ``law`` is ``a`` or ``mu``."""
    channels = len(samples)
    if law:
        from speechlytics.audio._plain import g711_table

        table = g711_table("a" if law == "a" else "mu").astype(np.int32)
        order = np.argsort(table, kind="stable")
        edges = (table[order][1:] + table[order][:-1]) / 2
        data = order.astype(np.uint8)[np.searchsorted(edges, samples.T)].tobytes()
    else:
        data = samples.T.astype("<i2").tobytes()
    tag, width = {"": (1, 2), "a": (6, 1), "mu": (7, 1)}[law]
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, tag, channels, RATE_HZ,
        RATE_HZ * channels * width, channels * width, 8 * width, b"data", len(data),
    )  # fmt: skip
    path.write_bytes(head + data)
    return path


def write_mp3(path: Path, samples: NDArray[np.int16]) -> Path:
    """Write MP3 at 32 kbit/s."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libmp3lame", rate=RATE_HZ, layout="stereo", bit_rate=32000)
        interleaved = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout="stereo")
        frame.sample_rate = RATE_HZ
        resampler = av.AudioResampler(format=stream.format, layout="stereo", rate=RATE_HZ)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            for packet in stream.encode(part):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def recording(path: Path) -> Recording:
    """The call of a file."""
    at = datetime(2026, 11, 2, 9, tzinfo=UTC)
    return Recording(path.stem, (str(path),), at, at.replace(tzinfo=None), at.date())
