"""Sound, outline and screen captures of stored calls.

A request names a call; which files belong to it the store says. Recordings that browsers play go
out as they are (by HTTP Range), all others as 16-bit WAV, made once and kept under names that
are hashes. Captures go out only if their first bytes are those of a picture or a video.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import stat
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from speechlytics.store import Store

CACHE = "_review"
OUTLINE_POINTS = 6000
"""Points of an outline per channel: more than the pixels of a wide screen, zoomed in twice."""
MAX_PER_SECOND = 100
THUMBNAILS = 4
"""Most captures shown around one silence."""
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
"""Recordings decoded at once; further listeners wait."""


@dataclass(frozen=True, slots=True)
class Sound:
    """A file to send, and its type."""

    path: Path
    media_type: str


class Media:
    """Files of calls, with a cache beside the store."""

    def __init__(self, store: Store, config: AudioConfig, cache_bytes: int) -> None:
        self._folder = store.place.work / CACHE
        self._config, self._cache_bytes = config, cache_bytes
        self._making: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def sound(self, call: dict[str, Any]) -> Sound:
        """What the browser plays for a stored call.

        Raises:
            AudioError: the call has no recording, or it cannot be read or decoded.
        """
        uris = uris_of(call)
        if len(uris) == 1:
            direct = _played_directly(uris[0], call.get("codec"))
            if direct is not None:
                return direct
        path = self._kept(call, ".wav")
        with self._once(path):
            if not path.exists():
                self._make(call, path)
        os.utime(path)
        return Sound(path, "audio/wav")

    def outline(self, call: dict[str, Any]) -> dict[str, Any]:
        """``{"per_second", "duration_ms", "peaks": [[0–100, …] per channel]}``.

        Raises:
            AudioError: as for :meth:`sound`.
        """
        path = self._kept(call, ".json")
        with self._once(path):
            if not path.exists():
                self._make(call, path)
        loaded: dict[str, Any] = json.loads(path.read_text())
        return loaded

    def _make(self, call: dict[str, Any], wanted: Path) -> None:
        """Decode once; write the outline, and the sound where that was asked for."""
        from speechlytics.audio import decode, peaks, wav_bytes

        uris = uris_of(call)
        if not uris:
            raise AudioError(f"{call['call_id']}: this call has no recording")
        with DECODERS:
            waveform = decode(uris, self._config)
            if wanted.suffix == ".wav":
                _write(wanted, wav_bytes(waveform))
            seconds = max(1.0, waveform.facts.duration_ms / 1000)
            per_second = max(1, min(MAX_PER_SECOND, round(OUTLINE_POINTS / seconds)))
            outline = peaks(waveform, per_second)
        loudest = float(outline.max(initial=0.0)) or 1.0
        whole = {
            "per_second": per_second,
            "duration_ms": waveform.facts.duration_ms,
            "peaks": [[round(100 * float(v) / loudest) for v in row] for row in outline],
        }
        _write(wanted.with_suffix(".json"), json.dumps(whole, separators=(",", ":")).encode())
        self._evict()

    def _kept(self, call: dict[str, Any], suffix: str) -> Path:
        content = json.dumps(
            [uris_of(call), call.get("audio_sha256"), call.get("audio_size_bytes"),
             str(call.get("audio_modified_at"))]
        )  # fmt: skip
        name = f"{_hash(call['call_id'])}-{_hash(content)[:16]}{suffix}"
        return self._folder / name

    @contextlib.contextmanager
    def _once(self, path: Path) -> Iterator[None]:
        """Whoever wants the same file waits for the first to make it."""
        with self._guard:
            lock = self._making.setdefault(path.stem, threading.Lock())
        with lock:
            yield

    def _evict(self) -> None:
        """Delete the sounds heard longest ago until the rest fits."""
        files = []
        for path in self._folder.glob("*.wav"):
            with contextlib.suppress(OSError):
                found = path.stat()
                files.append((found.st_mtime, found.st_size, path))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files)[:-1]:
            if total <= self._cache_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def forget_cached(store: Store, call_ids: Iterable[str]) -> int:
    """Delete what the page keeps of these calls; the number of files deleted.

    That is sound made playable, outlines, pictures from videos, and copies of what lies in a
    bucket, half-written ones included.
    """
    deleted = 0
    for call_id in call_ids:
        for path in (store.place.work / CACHE).glob(f"*{_hash(call_id)}-*"):
            path.unlink(missing_ok=True)
            deleted += 1
    return deleted


def uris_of(call: dict[str, Any]) -> list[str]:
    """Files of a stored call: its legs, else its recording."""
    legs = [uri for uri in call.get("leg_uris") or () if uri]
    return legs or ([call["recording_uri"]] if call.get("recording_uri") else [])


def capture(uri: str) -> Sound | None:
    """A screen capture on this machine, if it is one."""
    path = local_path(uri)
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return None
    media_type = next((kind for magic, kind in CAPTURES if magic.match(head)), None)
    return None if media_type is None else Sound(path, media_type)


def local_path(uri: str) -> Path | None:
    """The regular file that a stored URI names on this machine."""
    if uri.startswith("file://"):
        uri = unquote(urlsplit(uri).path)
    elif "://" in uri:
        return None
    path = Path(uri)
    try:
        # A pipe or a device would wait for ever.
        regular = path.is_absolute() and stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return None
    return path if regular else None


def _played_directly(uri: str, codec: str | None) -> Sound | None:
    kind = PLAYED.get(PurePosixPath(uri).suffix.lower())
    if kind is None or codec not in kind[1]:
        return None
    path = local_path(uri)
    return None if path is None else Sound(path, kind[0])


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; only this user may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise AudioError(f"{path}: cannot be written: {error}; is the disk full?") from error


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def spread(ordinals: Sequence[int]) -> tuple[int, ...]:
    """At most ``THUMBNAILS`` of these: the first, the last and some between."""
    if len(ordinals) <= THUMBNAILS:
        return tuple(ordinals)
    step = (len(ordinals) - 1) / (THUMBNAILS - 1)
    return tuple(ordinals[round(i * step)] for i in range(THUMBNAILS))


def screens_of(call: dict[str, Any]) -> Sequence[dict[str, Any]]:
    """Screen captures of a stored call, in order of time."""
    return sorted(call.get("screens") or (), key=lambda shot: shot["start_ms"])
