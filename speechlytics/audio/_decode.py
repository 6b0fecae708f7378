"""Files of one call → one waveform."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from speechlytics.audio import _ffmpeg, _plain
from speechlytics.audio._files import feed, local_file, unreadable
from speechlytics.audio._frames import resample
from speechlytics.audio._limits import Decoded, Limits, check_shape, too_long
from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from speechlytics.records import AudioFacts, Waveform


class _Headerless(NamedTuple):
    format_name: str
    rate_hz: int
    codec: str


_HEADERLESS = {
    ".ulaw": _Headerless("mulaw", 8000, "pcm_mulaw"),
    ".ul": _Headerless("mulaw", 8000, "pcm_mulaw"),
    ".alaw": _Headerless("alaw", 8000, "pcm_alaw"),
    ".al": _Headerless("alaw", 8000, "pcm_alaw"),
    ".g722": _Headerless("g722", 16000, "adpcm_g722"),
    ".gsm": _Headerless("gsm", 8000, "gsm"),
}
# First bytes of files that say what they are, whatever their name says.
_MAGIC = (b"RIFF", b"RIFX", b"OggS", b"fLaC", b"ID3", b"FORM", b"#!AMR", b".snd", b"caff")


def decode(uris: Sequence[str], config: AudioConfig) -> Waveform:
    """Decode the recording of one call.

    Args:
        uris: One file, or one file per leg: then leg ``i`` is channel ``i``, each mixed down to
            one speaker and padded with silence to the longest. An empty leg beside a good one
            is silence.
        config: Limits.

    Returns:
        A waveform: int16 ``(channels, n)`` at 8000 Hz (recorded at 8 kHz or less) or 16000 Hz.
        Channels that are one and the same (fake stereo) are one row.

    Raises:
        AudioError: a file cannot be read or decoded, holds no audio, is longer than
            ``max_duration_s``, has more than ``max_channels``, or lost more than
            ``max_packet_loss`` of its audio.
    """
    if not uris:
        raise AudioError("no recording to decode: the call has no file")
    digest = hashlib.sha256()
    limits = Limits(config.max_duration_s, config.max_channels)
    legs = []
    for uri in uris:
        with local_file(uri) as path:
            feed(digest, path, uri)
            leg = _decode_one(path, uri, limits)
        if leg.loss_share > config.max_packet_loss:
            raise AudioError(
                f"{uri}: {leg.loss_share:.0%} of the audio is damaged or missing, "
                f"more than audio.max_packet_loss = {config.max_packet_loss:.0%}"
            )
        legs.append(leg)
    if all(leg.samples.shape[1] == 0 for leg in legs):
        raise AudioError(f"{', '.join(uris)}: holds no audio (0 samples)")
    first = legs[0]
    samples, rate_hz = (first.samples, first.rate_hz) if len(legs) == 1 else _join(legs)
    fake = _is_fake_stereo(samples, config.fake_stereo_similarity)
    facts = AudioFacts(
        audio_sha256=digest.hexdigest(),
        codec=first.codec,
        sampling_rate_hz=max(leg.stored_rate_hz for leg in legs),
        channels=first.stored_channels if len(legs) == 1 else len(legs),
        duration_ms=samples.shape[1] * 1000 // rate_hz,
        loss_share=max(leg.loss_share for leg in legs),
        fake_stereo=fake,
    )
    return Waveform(samples[:1].copy() if fake else samples, rate_hz, facts)


def _decode_one(path: Path, uri: str, limits: Limits) -> Decoded:
    try:
        if path.stat().st_size == 0:
            raise AudioError(f"{uri}: is empty (0 bytes)")
        raw = _headerless(path, uri)
        if raw is not None:
            return _decode_headerless(path, uri, raw, limits)
        header = _plain.wav_header(path)
        if header is None:
            return _ffmpeg.decode_file(path, uri, limits)
        _check_header(uri, header, limits)
        if header.codec is not None and header.rate_hz in {8000, 16000}:
            return _decode_plain(path, uri, header, limits)
        decoded = _ffmpeg.decode_file(path, uri, limits)
    except OSError as error:
        raise unreadable(uri, error) from error
    whole = (1.0 - decoded.loss_share) * (1.0 - header.missing_share)
    return Decoded(
        decoded.samples,
        decoded.rate_hz,
        decoded.codec,
        decoded.stored_rate_hz,
        decoded.stored_channels,
        1.0 - whole,
    )


def _check_header(uri: str, header: _plain.WavHeader, limits: Limits) -> None:
    check_shape(uri, header.channels, header.rate_hz, limits)
    if header.bits is not None and header.bits < 8:  # FFmpeg would read them as bytes
        raise AudioError(f"{uri}: {header.bits} bits per sample; 8 or more are read")
    if header.codec is None and header.data_bytes == 0:
        raise AudioError(f"{uri}: holds no audio (a header and 0 bytes of data)")


def _headerless(path: Path, uri: str) -> _Headerless | None:
    """Headerless format that the name says, unless the content says otherwise."""
    raw = _HEADERLESS.get(PurePosixPath(uri).suffix.lower())
    if raw is None:
        return None
    with path.open("rb") as file:
        return None if file.read(8).startswith(_MAGIC) else raw


def _decode_headerless(path: Path, uri: str, raw: _Headerless, limits: Limits) -> Decoded:
    if raw.format_name not in {"mulaw", "alaw"}:
        return _ffmpeg.decode_file(
            path, uri, limits, format_name=raw.format_name, raw_rate_hz=raw.rate_hz
        )
    if path.stat().st_size > limits.max_duration_s * raw.rate_hz:
        raise too_long(uri, limits)
    samples = _plain.read_g711(path, "mu" if raw.format_name == "mulaw" else "a")
    return Decoded(samples, raw.rate_hz, raw.codec, raw.rate_hz, 1, 0.0)


def _decode_plain(path: Path, uri: str, header: _plain.WavHeader, limits: Limits) -> Decoded:
    if header.frames > limits.max_duration_s * header.rate_hz:
        raise too_long(uri, limits)
    samples = _plain.read_wav(path, header)
    assert header.codec is not None
    return Decoded(
        samples,
        header.rate_hz,
        header.codec,
        header.rate_hz,
        header.channels,
        header.missing_share,
    )


def _join(legs: Sequence[Decoded]) -> tuple[NDArray[np.int16], int]:
    """Legs as rows of one array, at the highest of their rates, padded to the longest."""
    rate_hz = max(leg.rate_hz for leg in legs)
    rows = []
    for leg in legs:
        row = leg.samples[:1]
        if leg.samples.shape[0] > 1:  # a leg is one speaker
            row = leg.samples.mean(axis=0, keepdims=True).astype(np.int16)
        if leg.rate_hz != rate_hz and row.shape[1]:
            row = resample(row, leg.rate_hz, rate_hz)
        rows.append(row[0])
    joined = np.zeros((len(rows), max(len(row) for row in rows)), np.int16)
    for target, row in zip(joined, rows, strict=True):
        target[: len(row)] = row
    return joined, rate_hz


def _is_fake_stereo(samples: NDArray[np.int16], threshold: float) -> bool:
    """Whether every channel is, level included, the first one again.

    Similarity of ``a`` and ``b`` is ``2·|a·b| / (a·a + b·b)``: 1 for equal channels, 0.2 for
    leaked speech 20 dB down, where a correlation coefficient would still say 1.
    """
    if samples.shape[0] < 2:
        return False
    return all(_similarity(samples[0], other) > threshold for other in samples[1:])


def _similarity(a: NDArray[np.int16], b: NDArray[np.int16], block: int = 1 << 15) -> float:
    cross = energy = 0.0  # blocks stay in the core's cache
    for start in range(0, len(a), block):
        x = a[start : start + block].astype(np.float32)
        y = b[start : start + block].astype(np.float32)
        cross += float(np.dot(x, y))
        energy += float(np.dot(x, x)) + float(np.dot(y, y))
    return 2.0 * abs(cross) / energy if energy else 0.0
