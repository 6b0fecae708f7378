"""Recordings of vCons as files that can be decoded and played: checked, and kept in the store.

Inline and fetched recordings lie in ``<store>/_vcon/`` (for a bucket in its local cache), under
the hash of their call's id: :func:`files_of` finds them again, to erase them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

from speechlytics.errors import ImportRefused
from speechlytics.records import Recording
from speechlytics.store import Store, durable
from speechlytics.vcon import Conversation, Sound, check_hashes

FOLDER = "_vcon"
FETCH_TIMEOUT_S = 60.0
MAX_FETCHED_BYTES = 1 << 30
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Located:
    """Where a call's recording is.

    Attributes:
        uris: One file, or one per leg; URLs that were not fetched stay what they are.
        here: Whether the files can be decoded.
        size_bytes, modified_at: Sum of their sizes, latest change.
    """

    uris: tuple[str, ...] = ()
    here: bool = False
    size_bytes: int | None = None
    modified_at: datetime | None = None


def files_of(store: Store, call_id: str) -> list[Path]:
    """Recordings that imports of this call left in the store, half-written ones included."""
    return sorted((store.place.work / FOLDER).glob(f"*{_name(call_id)}-*"))


def locate(
    sounds: Sequence[Sound], call_id: str, store: Store, folder: Path, fetch: bool
) -> Located:
    """Bring the recording of a call into reach and check its hash.

    Args:
        sounds: Its files in channel order.
        call_id: The call.
        store: Keeps inline and fetched recordings.
        folder: Where the vCon lies: relative paths start there.
        fetch: Whether to fetch over the network.

    Raises:
        ImportRefused: the content is not what the vCon's hash says (no cause), or cannot be had
            (with its cause).
    """
    if not sounds:
        return Located()
    before = files_of(store, call_id)
    paths = [
        _file(sound, _kept(store, call_id, leg, sound), folder, fetch)
        for leg, sound in enumerate(sounds)
    ]
    for leftover in before:
        if leftover not in paths:
            leftover.unlink(missing_ok=True)
    states = [path.stat() for path in paths]
    latest = max(state.st_mtime_ns for state in states)
    return Located(
        uris=tuple(map(str, paths)),
        here=True,
        size_bytes=sum(state.st_size for state in states),
        modified_at=_EPOCH + timedelta(microseconds=latest // 1000),
    )


def recorded(recording: Recording, found: Conversation, located: Located) -> Recording:
    """The recording with its files and the roles of their channels."""
    if not located.uris:
        return recording
    return replace(
        recording,
        uris=located.uris,
        roles=found.roles,
        role_source=found.role_source,
        audio_size_bytes=located.size_bytes,
        audio_modified_at=located.modified_at,
    )


def expected(
    sounds: Sequence[Sound], call_id: str, store: Store, folder: Path
) -> tuple[tuple[str, ...], list[Path]]:
    """Where :func:`locate` would find or put the recording, and which of that are others' files."""
    uris: list[str] = []
    beside: list[Path] = []
    for leg, sound in enumerate(sounds):
        kept = _kept(store, call_id, leg, sound)
        if sound.content is not None or kept.exists():
            uris.append(str(kept))
        elif (path := _path(sound, folder)) is not None:
            uris.append(str(path))
            beside.append(path)
        else:
            uris.append(str(sound.url))
    return tuple(uris), beside


def _kept(store: Store, call_id: str, leg: int, sound: Sound) -> Path:
    return store.place.work / FOLDER / f"{_name(call_id)}-{leg}{sound.suffix}"


def _path(sound: Sound, folder: Path) -> Path | None:
    """The file that a sound names, absolute or beside its vCon; ``None`` of another URL."""
    assert sound.url is not None
    parts = urlsplit(sound.url)
    if "://" in sound.url and parts.scheme != "file":
        return None
    path = Path(unquote(parts.path)) if parts.scheme == "file" else folder / sound.url
    return path.absolute()


def _name(call_id: str) -> str:
    return hashlib.sha256(call_id.encode()).hexdigest()[:24]


def _file(sound: Sound, target: Path, folder: Path, fetch: bool) -> Path:
    if sound.content is not None:
        check_hashes(sound.hashes, hashlib.sha512(sound.content).digest(), sound.at)
        target.parent.mkdir(parents=True, exist_ok=True)
        durable.write_file(target, sound.content)
        return target
    path = _path(sound, folder)
    if path is None:
        return _fetched(sound, target, fetch)
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha512").digest()
    except OSError as error:
        raise ImportRefused(f"{sound.at}.url = {sound.url!r}: {error.strerror}") from error
    check_hashes(sound.hashes, digest, sound.at)
    return path


def _fetched(sound: Sound, target: Path, fetch: bool) -> Path:
    assert sound.url is not None
    try:
        _check_allowed(sound.url, fetch)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
        digest = _download(sound.url, temporary)
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise ImportRefused(f"{sound.at}.url = {sound.url!r}: {error}") from error
    try:
        check_hashes(sound.hashes, digest, sound.at)
        durable.replace_file(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _check_allowed(url: str, fetch: bool) -> None:
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("only http, https and file URLs are understood")
    if not fetch:
        raise PermissionError("not fetched; give --fetch to allow it")


def _download(url: str, target: Path) -> bytes:
    """Write a URL's content to a file; return its SHA-512."""
    request = urllib.request.Request(url, headers={"User-Agent": "speechlytics"})  # noqa: S310
    try:
        with (
            urllib.request.urlopen(request, timeout=FETCH_TIMEOUT_S) as response,  # noqa: S310
            target.open("wb") as out,
        ):
            shutil.copyfileobj(_Limited(response), out)
        with target.open("rb") as stream:
            return hashlib.file_digest(stream, "sha512").digest()
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class _Limited:
    """A stream that refuses to be endless."""

    def __init__(self, stream: object) -> None:
        self._stream, self._left = stream, MAX_FETCHED_BYTES

    def read(self, size: int = -1) -> bytes:
        content: bytes = self._stream.read(size)  # type: ignore[attr-defined]  # a response
        self._left -= len(content)
        if self._left < 0:
            raise ValueError(f"larger than {MAX_FETCHED_BYTES >> 20} MiB")
        return content
