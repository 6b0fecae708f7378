"""The general path: FFmpeg's libraries through PyAV, packet by packet.

A damaged packet is counted and replaced by silence of its length, so that later times stay
true; decoding stops as soon as the configured length is passed, whatever the header says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from speechlytics.audio._frames import finite
from speechlytics.audio._limits import Decoded, Limits, check_shape, target_rate, too_long
from speechlytics.errors import AudioError

if TYPE_CHECKING:
    import av

# Containers of audio only: "concat" or "hls" would open other files than the one named.
_FORMATS = (
    "wav,w64,aiff,au,caf,mp3,ogg,flac,mov,mp4,m4a,3gp,aac,amr,amrnb,amrwb,asf,matroska,webm,"
    "gsm,g722,mulaw,alaw"
)
# A demuxer that fails this often in a row will not get past the damage.
_MAX_DEMUX_FAILURES = 50
_MAX_CONCEALED_S = 1.0
# AMR frames of a paused transmission (SID, NO_DATA; 3GPP TS 26.101): FFmpeg decodes none of
# them, and they mean silence, not damage.
_AMR_CODECS = frozenset({"amrnb", "amrwb", "libopencore_amrnb", "libopencore_amrwb"})
_AMR_PAUSE_BYTES = 6
# Containers that state how long they are; others are estimated from their size.
_STATING_LENGTH = frozenset({"flac", "ogg", "mov,mp4,m4a,3gp,3g2,mj2"})
_PADDING_S = 0.5


def decode_file(
    path: Path, uri: str, limits: Limits, *, format_name: str | None = None, raw_rate_hz: int = 8000
) -> Decoded:
    """Decode the first audio stream of a file.

    Args:
        path: Absolute path.
        uri: Name for messages.
        limits: Caps on length and channels.
        format_name: FFmpeg's name of a headerless format; otherwise found by content.
        raw_rate_hz: Sampling rate of a headerless format.

    Raises:
        AudioError: nothing in it can be decoded, or a cap is passed.
    """
    import av

    # "file" alone: no container may make FFmpeg open a socket or another protocol.
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    if format_name in {"mulaw", "alaw", "g722"}:
        options["sample_rate"] = str(raw_rate_hz)
    try:
        with av.open(
            str(path), format=format_name, options=options, metadata_errors="replace"
        ) as container:
            return _decode_stream(container, uri, limits)
    except AudioError:
        raise
    # Besides av.FFmpegError, damaged files have raised IndexError, AttributeError, EOFError
    # and UnicodeDecodeError out of PyAV.
    except Exception as error:
        raise AudioError(f"{uri}: cannot be decoded ({_cause(error)})") from error


def _cause(error: Exception) -> str:
    import av

    if isinstance(error, av.FFmpegError):
        return str(error.strerror or type(error).__name__)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class _Sink:
    """Collects decoded frames as interleaved int16 at the target rate, within the limits."""

    def __init__(self, uri: str, limits: Limits) -> None:
        self._uri = uri
        self._limits = limits
        self._resampler: Any = None
        self._shape: tuple[int, int] | None = None  # (channels, sampling rate)
        self._data = bytearray()
        self._owed_s = 0.0  # silence before the first good frame

    @property
    def shape(self) -> tuple[int, int] | None:
        """Channels and sampling rate of the first good frame."""
        return self._shape

    def add(self, frame: av.AudioFrame) -> None:
        """Convert and keep one frame.

        Raises:
            AudioError: a limit is passed.
            ValueError: the frame does not look like the first one (damage).
        """
        import av

        shape = (frame.layout.nb_channels, frame.sample_rate)
        if self._shape is None:
            check_shape(self._uri, *shape, self._limits)
            self._shape = shape
            self._resampler = av.AudioResampler(format="s16", rate=target_rate(shape[1]))
            self._silence(self._owed_s)
        elif shape != self._shape:
            raise ValueError(f"frame of {shape} in a stream of {self._shape}")
        for part in self._resampler.resample(finite(frame)):
            self._keep(part)

    def conceal(self, seconds: float) -> None:
        """Silence in place of a lost packet."""
        seconds = min(max(seconds, 0.0), _MAX_CONCEALED_S)
        if self._shape is None:
            self._owed_s = min(self._owed_s + seconds, self._limits.max_duration_s)
        else:
            self._silence(seconds)

    def close(self) -> NDArray[np.int16]:
        """Flush, and give the samples as int16 ``(channels, n)``."""
        if self._shape is None:
            return np.zeros((0, 0), np.int16)
        for part in self._resampler.resample(None):
            self._keep(part)
        flat = np.frombuffer(self._data, dtype=np.int16)
        return np.ascontiguousarray(flat.reshape(-1, self._shape[0]).T)

    def _silence(self, seconds: float) -> None:
        assert self._shape is not None
        self._data += bytes(round(seconds * target_rate(self._shape[1])) * self._shape[0] * 2)
        self._check_length()

    def _keep(self, part: av.AudioFrame) -> None:
        assert self._shape is not None
        self._data += memoryview(part.planes[0])[: part.samples * self._shape[0] * 2]
        self._check_length()

    def _check_length(self) -> None:
        assert self._shape is not None
        frames = len(self._data) // (2 * self._shape[0])
        if frames > self._limits.max_duration_s * target_rate(self._shape[1]):
            raise too_long(self._uri, self._limits)


class _Losses:
    """Bytes of packets that could and could not be decoded."""

    def __init__(self) -> None:
        self.good_bytes = 0
        self.lost_bytes = 0
        self.first_cause: str | None = None

    def lose(self, size_bytes: int, error: Exception) -> None:
        self.lost_bytes += max(size_bytes, 1)
        self.first_cause = self.first_cause or _cause(error)

    @property
    def share(self) -> float:
        total = self.good_bytes + self.lost_bytes
        return self.lost_bytes / total if total else 0.0


def _decode_stream(container: Any, uri: str, limits: Limits) -> Decoded:
    if not container.streams.audio:
        raise AudioError(f"{uri}: holds no audio stream")
    stream = container.streams.audio[0]
    amr = stream.codec_context.name in _AMR_CODECS
    sink, losses = _Sink(uri, limits), _Losses()
    for packet in _packets(container, stream, losses):
        try:
            for frame in packet.decode():
                sink.add(frame)
            losses.good_bytes += packet.size
        except AudioError:
            raise
        except Exception as error:  # the same many kinds as above
            if packet.size:  # the flush at the end has none
                if not (amr and packet.size <= _AMR_PAUSE_BYTES):
                    losses.lose(packet.size, error)
                sink.conceal(float((packet.duration or 0) * (packet.time_base or 0)))
    samples = sink.close()
    if sink.shape is None and losses.first_cause:
        raise AudioError(f"{uri}: no packet could be decoded ({losses.first_cause})")
    channels, rate = sink.shape or (1, stream.rate or 8000)
    return Decoded(
        samples=samples if sink.shape else np.zeros((1, 0), np.int16),
        rate_hz=target_rate(rate),
        codec=stream.codec_context.name,
        stored_rate_hz=rate,
        stored_channels=channels,
        loss_share=max(losses.share, _missing_share(container, stream, samples, rate)),
    )


def _missing_share(
    container: Any, stream: Any, samples: NDArray[np.int16], stored_rate_hz: int
) -> float:
    """Share of the length stated by the container that was not there (cut, or pages lost)."""
    if container.format.name not in _STATING_LENGTH or not stream.duration:
        return 0.0
    stated_s = float(stream.duration * stream.time_base)
    found_s = samples.shape[1] / target_rate(stored_rate_hz)
    return 1.0 - found_s / stated_s if stated_s > found_s + _PADDING_S else 0.0


def _packets(container: Any, stream: Any, losses: _Losses) -> Iterator[Any]:
    """Packets of a stream; after a demuxing error the search goes on behind the damage."""
    failures, position = 0, 0
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except Exception as error:
            failures += 1
            if failures >= _MAX_DEMUX_FAILURES:
                losses.lose(container.size - position, error)
                return
            losses.lose(1, error)
            packets = container.demux(stream)
            continue
        failures = 0
        if packet.pos is not None:
            position = max(position, packet.pos + packet.size)
        yield packet
