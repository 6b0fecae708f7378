"""How long a video is, without decoding it."""

from __future__ import annotations

from speechlytics.audio._files import local_file
from speechlytics.errors import AudioError

# Self-contained containers only: a playlist would make FFmpeg open other files.
FORMATS = "mov,mp4,m4a,3gp,matroska,webm,avi"
_US_PER_MS = 1000


def video_length_ms(uri: str) -> int | None:
    """Length that a video states; ``None`` where it does not (a recorder that was cut off).

    Raises:
        AudioError: it is no video, or cannot be read.
    """
    import av

    options = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
    with local_file(uri) as path:
        try:
            with av.open(str(path), options=options, metadata_errors="replace") as container:
                pictures, stated_us = len(container.streams.video), container.duration
        # As for recordings, damaged files raise more than PyAV's own errors.
        except Exception as error:
            raise AudioError(f"{uri}: not a video that can be read ({error})") from error
    if not pictures:
        raise AudioError(f"{uri}: holds no video")
    return None if stated_us is None or stated_us <= 0 else stated_us // _US_PER_MS
