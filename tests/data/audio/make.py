"""Generated recordings with known content, in every codec that PyAV can write.

``tones.gsm``, ``tones.wav49`` and ``tones.amr`` beside this file hold the same two tones as
``two_tones(8000)``; PyAV cannot encode them, so they were made once:

    sox -r 8000 -n a.wav trim 0 0.5;  sox -r 8000 -n b.wav synth 0.5 sine 1000 vol 0.5
    sox -r 8000 -n c.wav trim 0 1.0;  sox -r 8000 -n d.wav synth 0.5 sine 400 vol 0.5
    sox a.wav b.wav c.wav d.wav a.wav tones.wav
    sox tones.wav tones.gsm;  sox tones.wav -t wav -e gsm-full-rate tones.wav49
    sox tones.wav -C 7 tones.amr-nb
"""

from __future__ import annotations

import struct
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).parent
# Seconds in which two_tones() sounds.
TONES_S = ((0.5, 1.0), (2.0, 2.5))
LENGTH_S = 3.0


def two_tones(rate_hz: int, *, channels: int = 1, amplitude: float = 0.5) -> NDArray[np.int16]:
    """3 s of silence with 1000 Hz and 400 Hz in it: int16 ``(channels, n)``.

    Channel ``i`` sounds only in tone ``i mod 2``, a single channel in both.
    """
    time = np.arange(round(LENGTH_S * rate_hz)) / rate_hz
    rows = np.zeros((channels, time.size))
    for index, ((start, end), pitch) in enumerate(zip(TONES_S, (1000, 400), strict=True)):
        inside = (time >= start) & (time < end)
        tone = amplitude * np.sin(2 * np.pi * pitch * time) * inside
        for channel in range(channels):
            if channels == 1 or channel % 2 == index:
                rows[channel] += tone
    return np.round(rows * 32767).astype(np.int16)


def riff(
    payload: bytes,
    *,
    tag: int = 1,
    channels: int = 1,
    rate_hz: int = 8000,
    bits: int = 16,
    promised: int | None = None,
    before: bytes = b"",
) -> bytes:
    """A RIFF/WAVE file around ``payload``; ``promised`` lies about its length."""
    block = channels * bits // 8
    fmt = struct.pack(
        "<HHIIHH", tag, channels, rate_hz, (rate_hz * block) & 0xFFFFFFFF, block & 0xFFFF, bits
    )
    length = len(payload) if promised is None else promised
    chunks = b"fmt " + struct.pack("<I", len(fmt)) + fmt + before
    chunks += b"data" + struct.pack("<I", length) + payload
    return b"RIFF" + struct.pack("<I", (len(chunks) + 4) & 0xFFFFFFFF) + b"WAVE" + chunks


def pcm16(samples: NDArray[np.int16], rate_hz: int) -> bytes:
    """A plain 16-bit WAV file."""
    payload = np.ascontiguousarray(samples.T).astype("<i2").tobytes()
    return riff(payload, channels=samples.shape[0], rate_hz=rate_hz)


def encode(
    path: Path,
    samples: NDArray[np.int16],
    rate_hz: int,
    codec: str,
    *,
    format_name: str | None = None,
) -> Path:
    """Write a file with one of FFmpeg's encoders."""
    layouts = {1: "mono", 2: "stereo", 8: "7.1"}
    with av.open(str(path), "w", format=format_name) as container:
        stream = container.add_stream(codec, rate=rate_hz, layout=layouts[samples.shape[0]])
        stream.bit_rate = 64_000
        flat = np.ascontiguousarray(samples.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(flat, format="s16", layout=layouts[samples.shape[0]])
        frame.sample_rate = rate_hz
        for packet in stream.encode(frame):
            container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def sounding_s(row: NDArray[np.int16], rate_hz: int) -> list[tuple[float, float]]:
    """Stretches (s) in which 10 ms frames are loud: what an ear would mark."""
    frame = rate_hz // 100
    count = row.size // frame
    power = np.square(row[: count * frame].astype(float)).reshape(count, frame).mean(axis=1)
    loud = np.concatenate([[False], np.sqrt(power) > 1500, [False]])
    edges = np.flatnonzero(np.diff(loud.astype(int)))
    return [(start / 100, end / 100) for start, end in edges.reshape(-1, 2)]
