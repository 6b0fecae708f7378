"""Sound, outline and screen captures of stored calls.

A request names a call; which files belong to it the store says. Recordings that browsers play go
out as they are (by HTTP Range), all others as 16-bit WAV, made once. What lies in a bucket is
copied once. Captures go out only if their first bytes are those of a picture or a video.
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from speechlytics.review._cache import COPIED, OUTLINE, Cache, local_path, suffix_of, write

OUTLINE_POINTS = 6000
"""Points of an outline per channel: more than the pixels of a wide screen, zoomed in twice."""
MAX_PER_SECOND = 100
FRAME_WIDTH = 480
"""Pixels of a picture taken out of a video; it is shown at a third of that, in print at all."""
PLAYED = {
    ".wav": ("audio/wav", ("pcm_s16le", "pcm_alaw", "pcm_mulaw", "pcm_u8", "pcm_f32le")),
    ".mp3": ("audio/mpeg", ("mp3", "mp3float")),
    ".ogg": ("audio/ogg", ("opus", "vorbis")),
    ".oga": ("audio/ogg", ("opus", "vorbis")),
    ".opus": ("audio/ogg", ("opus",)),
    ".flac": ("audio/flac", ("flac",)),
    ".webm": ("audio/webm", ("opus", "vorbis")),
}
"""What Chromium, Firefox and Safari all play, by file ending and codec."""
CAPTURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"GIF8[79]a"), "image/gif"),
    (re.compile(rb"....ftypavif", re.DOTALL), "image/avif"),
    (re.compile(rb"....ftyp", re.DOTALL), "video/mp4"),
    (re.compile(rb"\x1a\x45\xdf\xa3"), "video/webm"),
)
"""First bytes → type; a capture of any other kind is not sent (SVG and HTML can carry scripts)."""
DECODERS = threading.BoundedSemaphore(2)
"""Recordings and videos decoded at once; further listeners wait."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A file to send, and its type."""

    path: Path
    media_type: str


class Media:
    """Files of calls, with a cache beside the store."""

    def __init__(self, cache: Cache, config: AudioConfig) -> None:
        self._cache, self._config = cache, config

    def sound(self, call: dict[str, Any]) -> Sound:
        """What the browser plays for a stored call.

        Raises:
            AudioError: the call has no recording, or it cannot be read or decoded.
        """
        uris = uris_of(call)
        kind = PLAYED.get(suffix_of(uris[0])) if len(uris) == 1 else None
        if kind is not None and call.get("codec") in kind[1]:
            direct = self._file(call["call_id"], uris[0])
            if direct is not None:
                return Sound(direct, kind[0])
        made = self._cache.made(self._kept(call, ".wav"), lambda path: self._make(call, path))
        return Sound(made, "audio/wav")

    def outline(self, call: dict[str, Any]) -> dict[str, Any]:
        """``{"per_second", "duration_ms", "peaks": [[0–100, …] per channel]}``.

        Raises:
            AudioError: as for :meth:`sound`.
        """
        made = self._cache.made(self._kept(call, OUTLINE), lambda path: self._make(call, path))
        loaded: dict[str, Any] = json.loads(made.read_text())
        return loaded

    def capture(self, call_id: str, uri: str) -> Sound | None:
        """A screen capture, if it is one."""
        try:
            path = self._file(call_id, uri)
            if path is None:
                return None
            with path.open("rb") as file:
                head = file.read(16)
        except (OSError, AudioError):
            return None
        media_type = next((kind for magic, kind in CAPTURES if magic.match(head)), None)
        return None if media_type is None else Sound(path, media_type)

    def frame(self, call_id: str, uri: str, at_ms: int) -> Sound | None:
        """The picture that a screen video shows at a time of its own clock."""
        from speechlytics.audio import video_frame

        whole = self.capture(call_id, uri)
        if whole is None or not whole.media_type.startswith("video/"):
            return None

        def take(path: Path) -> None:
            with DECODERS:
                write(path, [video_frame(whole.path, at_ms, FRAME_WIDTH)])

        content = f"{uri} {whole.path.stat().st_mtime_ns} {at_ms}"
        try:
            return Sound(
                self._cache.made(self._cache.path(call_id, content, ".jpg"), take), "image/jpeg"
            )
        except AudioError:
            return None

    def _file(self, call_id: str, uri: str) -> Path | None:
        """A stored file on this machine: where it lies, or a copy of it."""
        return self._cache.copy(call_id, uri) if COPIED.match(uri) else local_path(uri)

    def _make(self, call: dict[str, Any], wanted: Path) -> None:
        """Decode once; write the outline, and the sound where that was asked for."""
        from speechlytics.audio import decode, peaks, wav_bytes

        uris = uris_of(call)
        if not uris:
            raise AudioError(f"{call['call_id']}: this call has no recording")
        with DECODERS:
            waveform = decode(uris, self._config)
            if wanted.suffix == ".wav":
                write(wanted, [wav_bytes(waveform)])
            seconds = max(1.0, waveform.facts.duration_ms / 1000)
            per_second = max(1, min(MAX_PER_SECOND, round(OUTLINE_POINTS / seconds)))
            outline = peaks(waveform, per_second)
        loudest = float(outline.max(initial=0.0)) or 1.0
        whole = {
            "per_second": per_second,
            "duration_ms": waveform.facts.duration_ms,
            "peaks": [[round(100 * float(v) / loudest) for v in row] for row in outline],
        }
        content = json.dumps(whole, separators=(",", ":")).encode()
        write(wanted.with_suffix(OUTLINE), [content])

    def _kept(self, call: dict[str, Any], suffix: str) -> Path:
        content = json.dumps(
            [uris_of(call), call.get("audio_sha256"), call.get("audio_size_bytes"),
             str(call.get("audio_modified_at"))]
        )  # fmt: skip
        return self._cache.path(call["call_id"], content, suffix)


def uris_of(call: dict[str, Any]) -> list[str]:
    """Files of a stored call: its legs, else its recording."""
    legs = [uri for uri in call.get("leg_uris") or () if uri]
    return legs or ([call["recording_uri"]] if call.get("recording_uri") else [])
