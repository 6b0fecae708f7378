"""The lean path: RIFF/WAVE with 16-bit PCM or G.711, and headerless G.711, without FFmpeg.

Most call recorders write exactly these. Samples are bit-identical to FFmpeg's decoders.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
from numpy.typing import NDArray

Law = Literal["a", "mu"]

_PCM, _ALAW, _MULAW, _EXTENSIBLE = 0x0001, 0x0006, 0x0007, 0xFFFE
# (format tag, bits per sample) → FFmpeg's codec name
_CODECS = {(_PCM, 16): "pcm_s16le", (_ALAW, 8): "pcm_alaw", (_MULAW, 8): "pcm_mulaw"}
# Recorders that stream, or that died, leave these instead of a length: read to the end.
_UNKNOWN_LENGTHS = frozenset({0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF})
_MAX_CHUNKS = 1000


@dataclass(frozen=True, slots=True)
class WavHeader:
    """What a RIFF header says.

    Attributes:
        codec: FFmpeg's name where the lean path can read it, else ``None``.
        bits: Bits per sample where the format is linear PCM, else ``None``.
        data_offset: First byte of audio.
        data_bytes: Bytes of audio that are really in the file.
        missing_share: Share of the promised bytes that the file does not hold (truncated), 0–1.
    """

    codec: str | None
    channels: int
    rate_hz: int
    bits: int | None
    data_offset: int
    data_bytes: int
    missing_share: float

    @property
    def frames(self) -> int:
        """Samples per channel, where ``codec`` is known."""
        return self.data_bytes // (self.channels * self.sample_bytes)

    @property
    def sample_bytes(self) -> int:
        """Bytes per sample, where ``codec`` is known."""
        return 2 if self.codec == "pcm_s16le" else 1


def wav_header(path: Path) -> WavHeader | None:
    """Header of a RIFF/WAVE file; ``None`` if it is none or holds no format and data chunk."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(12)
        if len(magic) < 12 or magic[:4] != b"RIFF" or magic[8:] != b"WAVE":
            return None
        return _chunks(file, size)


def read_wav(path: Path, header: WavHeader) -> NDArray[np.int16]:
    """Samples of a WAV whose ``header.codec`` is known: int16, shape ``(channels, frames)``."""
    values = header.frames * header.channels
    linear = header.codec == "pcm_s16le"
    stored = np.dtype("<i2" if linear else np.uint8)
    flat = np.fromfile(path, dtype=stored, count=values, offset=header.data_offset)
    # The file may have been cut since its header was read.
    frames = flat.size // header.channels
    coded = flat[: frames * header.channels].reshape(frames, header.channels).T
    if linear:
        return np.ascontiguousarray(coded, dtype=np.int16)
    return _expand(coded, "a" if header.codec == "pcm_alaw" else "mu")


def read_g711(path: Path, law: Law) -> NDArray[np.int16]:
    """Samples of a headerless mono G.711 file: int16, shape ``(1, n)``."""
    return _expand(np.fromfile(path, dtype=np.uint8)[np.newaxis, :], law)


def _expand(coded: NDArray[Any], law: Law) -> NDArray[np.int16]:
    """Expand rows of uint8: 1.7 times faster than an index, as no code needs a check."""
    table = g711_table(law)
    rows = np.empty(coded.shape, np.int16)
    for codes, row in zip(coded, rows, strict=True):
        np.take(table, codes, out=row, mode="clip")
    return rows


@lru_cache(maxsize=2)
def g711_table(law: Law) -> NDArray[np.int16]:
    """Expansion table of ITU-T G.711 for its 256 codes, scaled to 16 bits."""
    code = np.arange(256, dtype=np.int32)
    if law == "mu":
        code = ~code & 0xFF
        magnitude = (((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)
        values = np.where(code & 0x80, 0x84 - magnitude, magnitude - 0x84)
    else:
        code ^= 0x55
        segment = (code & 0x70) >> 4
        step = (code & 0x0F) << 4
        high = (step + 0x108) << np.maximum(segment - 1, 0)
        magnitude = np.where(segment == 0, step + 8, high)
        values = np.where(code & 0x80, magnitude, -magnitude)
    table = values.astype(np.int16)
    table.flags.writeable = False
    return table


def _chunks(file: BinaryIO, size: int) -> WavHeader | None:
    """Walk the chunks up to ``data``; ``file`` stands behind the RIFF header."""
    fmt = b""
    for _ in range(_MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        name, length = struct.unpack("<4sI", head)
        if name == b"data":
            return _header(fmt, file.tell(), length, size) if len(fmt) >= 16 else None
        end = file.tell() + length + length % 2  # chunks are padded to even lengths
        if name == b"fmt ":
            fmt = file.read(min(length, 64))
        file.seek(end)
    return None


def _header(fmt: bytes, offset: int, promised: int, size: int) -> WavHeader:
    tag, channels, rate, _, block, bits = struct.unpack("<HHIIHH", fmt[:16])
    if tag == _EXTENSIBLE and len(fmt) >= 26:
        tag = int.from_bytes(fmt[24:26], "little")
    codec = _CODECS.get((tag, bits))
    if block != channels * bits // 8:
        codec = None
    present = max(size - offset, 0)
    if promised in _UNKNOWN_LENGTHS:
        promised = present
    held = min(promised, present)
    missing = 1.0 - held / promised if promised else 0.0
    pcm_bits = bits if tag == _PCM else None
    return WavHeader(codec, channels, rate, pcm_bits, offset, held, missing)
