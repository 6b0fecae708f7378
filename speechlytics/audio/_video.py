"""One picture out of a video, small enough for a list."""

from __future__ import annotations

from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from speechlytics.audio._length import FORMATS
from speechlytics.errors import AudioError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer

_US_PER_MS = 1000
_MOST_FRAMES = 2000
"""Frames decoded after a key frame in search of a moment; screen videos have few key frames."""


def video_frame(path: Path, at_ms: int, width: int) -> bytes:
    """The picture that a video shows at a time, as JPEG ``width`` pixels wide at most.

    Past its end that is the last picture, before its start the first.

    Raises:
        AudioError: it is no video, or cannot be read.
    """
    import av

    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    try:
        with av.open(str(path), options=options, metadata_errors="replace") as container:
            frame = _frame_at(container, at_ms)
            if frame is not None:
                return _jpeg(frame, width)
    # As for recordings, damaged files raise more than PyAV's own errors.
    except Exception as error:
        raise AudioError(f"{path.name}: not a video that can be read ({error})") from error
    raise AudioError(f"{path.name}: holds no picture")


def _frame_at(container: InputContainer, at_ms: int) -> VideoFrame | None:
    if not container.streams.video:
        return None
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    best: VideoFrame | None = None
    for start_ms in (max(0, at_ms), 0):  # past the end, nothing is decoded: then all is
        container.seek(start_ms * _US_PER_MS, backward=True)
        for frame in islice(container.decode(stream), _MOST_FRAMES):
            if best is not None and (frame.time or 0.0) * 1000 > at_ms:
                return best
            best = frame
        if best is not None:
            return best
    return best


def _jpeg(frame: VideoFrame, width: int) -> bytes:
    import av
    from av.video.codeccontext import VideoCodecContext

    shown = max(2, min(width, frame.width) // 2 * 2)
    height = max(2, round(frame.height * shown / frame.width) // 2 * 2)
    small = frame.reformat(width=shown, height=height, format="yuvj420p")
    small.pts = None
    encoder = av.CodecContext.create("mjpeg", "w")
    assert isinstance(encoder, VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = shown, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)  # it asks for one, and writes it nowhere
    return b"".join(bytes(packet) for packet in [*encoder.encode(small), *encoder.encode(None)])
