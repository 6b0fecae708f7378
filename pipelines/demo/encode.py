"""Writes call audio in the formats that recorders use: Opus, A-law, µ-law, MP3, GSM 6.10."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import wave
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

_GSM_BLOCKS = 640


@dataclass(frozen=True, slots=True)
class Codec:
    """How one format is written: container suffix, encoder of FFmpeg, bit rate, its options.

    `rate_hz` is the sampling rate of the file where it is not that of the samples.
    """

    suffix: str
    encoder: str
    bit_rate: int = 0
    options: Mapping[str, str] | None = None
    rate_hz: int | None = None


# 24 kbit/s is where Opus keeps the two sides of a call apart (below 20 it mixes them: measured).
_OPUS = {"application": "voip", "vbr": "on", "frame_duration": "20"}
CODECS = {
    "opus": Codec(".ogg", "libopus", 24_000, _OPUS),
    "opus-mono": Codec(".ogg", "libopus", 14_000, _OPUS),
    "alaw-mono": Codec(".wav", "pcm_alaw"),
    "mulaw-mono": Codec(".wav", "pcm_mulaw"),
    # LAME at 8 kHz loses what a small recogniser needs (WER 51 % at 32 kbit/s, 14 % like this).
    "mp3": Codec(".mp3", "libmp3lame", 64_000, {"joint_stereo": "0"}, rate_hz=16_000),
    "flac": Codec(".flac", "flac"),
    "gsm": Codec(".wav", "gsm"),
    "gsm-mono": Codec(".wav", "gsm"),
}


def write_audio(samples: npt.NDArray[np.float32], rate_hz: int, codec: str, path: Path) -> None:
    """Writes float32 samples of shape (channels, frames) to `path` in one of CODECS.

    Output is bit-exact for the same encoder version. GSM 6.10 needs the `sox` program with its
    GSM format, because FFmpeg's wheels only decode it.

    Raises:
        RuntimeError: `sox` is missing or failed.
    """
    pcm = np.round(np.clip(samples, -1, 1) * 32767).astype("<i2")
    if CODECS[codec].encoder == "gsm":
        _write_gsm(pcm, rate_hz, path)
    else:
        _write_ffmpeg(pcm, rate_hz, CODECS[codec], path)


def _write_ffmpeg(pcm: npt.NDArray[np.int16], rate_hz: int, codec: Codec, path: Path) -> None:
    import av

    layout = "mono" if len(pcm) == 1 else "stereo"
    with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
        written_hz = codec.rate_hz or rate_hz
        stream = container.add_stream(codec.encoder, rate=written_hz, layout=layout)
        if codec.bit_rate:
            stream.bit_rate = codec.bit_rate
        stream.options = dict(codec.options or {})
        stream.codec_context.flags |= int(av.codec.context.Flags.bitexact)
        packed = np.ascontiguousarray(pcm.T).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.time_base, frame.pts = rate_hz, Fraction(1, rate_hz), 0
        resampler = av.AudioResampler(
            format=stream.codec_context.format,
            layout=layout,
            rate=written_hz,
            frame_size=stream.codec_context.frame_size or None,
        )
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))


def _write_gsm(pcm: npt.NDArray[np.int16], rate_hz: int, path: Path) -> None:
    sox = shutil.which("sox")
    if sox is None:
        raise RuntimeError(f"{path.name}: GSM 6.10 needs sox (Debian: sox libsox-fmt-all)")
    # An even number of blocks: sox counts the pad byte after an odd one (65 bytes) as audio.
    pcm = np.pad(pcm, ((0, 0), (0, -pcm.shape[1] % _GSM_BLOCKS)))
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "plain.wav"
        with wave.open(str(plain), "wb") as file:
            file.setnchannels(len(pcm))
            file.setsampwidth(2)
            file.setframerate(rate_hz)
            file.writeframes(np.ascontiguousarray(pcm.T).tobytes())
        command = [sox, "-D", str(plain), "-e", "gsm-full-rate", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not path.exists():
        raise RuntimeError(f"{path.name}: sox failed: {done.stderr.strip()}")
