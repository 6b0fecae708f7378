"""Files that the page keeps: recordings made playable, outlines, pictures, copies from buckets.

They lie beside the store under names that are hashes, and only this user may read them. Whatever
is not an outline goes when all together grow too large, what was used longest ago first.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from speechlytics.buckets import open_url
from speechlytics.errors import AudioError
from speechlytics.store import Store

FOLDER = "_review"
OUTLINE = ".json"
COPIED = re.compile(r"(?!(?:https?|ftps?|file|local)://)[a-z][a-z0-9+.-]*://")
"""Buckets and shares that whole files are copied from; a web server is none."""
_CHUNK_BYTES = 1 << 20
_EVICTED = (".wav", ".jpg", ".copy")


class Cache:
    """Files by call, each made once however many ask for it."""

    def __init__(self, store: Store, most_bytes: int) -> None:
        self.folder = store.place.work / FOLDER
        self._most_bytes = most_bytes
        self._making: dict[str, threading.Lock] = {}
        self._guard = threading.Lock()

    def path(self, call_id: str, content: str, suffix: str) -> Path:
        """Where a file made from this content is kept."""
        return self.folder / f"{hashed(call_id)}-{hashed(content)[:16]}{suffix}"

    def made(self, path: Path, make: Callable[[Path], None]) -> Path:
        """The kept file, made first if it is not there; its use is noted."""
        with self._once(path):
            if not path.exists():
                make(path)
                self._evict(path)
        with contextlib.suppress(OSError):
            os.utime(path)
        return path

    def copy(self, call_id: str, uri: str) -> Path:
        """A file of a bucket, copied here.

        Raises:
            AudioError: it cannot be fetched, or is larger than everything that may be kept.
        """

        def fetch(path: Path) -> None:
            # every fsspec backend raises its own kinds
            try:
                with open_url(uri) as remote:
                    write(path, self._limited(uri, remote))
            except AudioError:
                raise
            except Exception as error:
                cause = f"{type(error).__name__}: {error}"
                raise AudioError(f"{uri}: cannot be fetched ({cause})") from error

        return self.made(self.path(call_id, uri, ".copy"), fetch)

    def _limited(self, uri: str, remote: Any) -> Iterator[bytes]:
        total = 0
        while block := remote.read(_CHUNK_BYTES):
            total += len(block)
            if total > self._most_bytes:
                raise AudioError(f"{uri}: is larger than the {self._most_bytes} bytes kept here")
            yield block

    @contextlib.contextmanager
    def _once(self, path: Path) -> Iterator[None]:
        """Whoever wants the same file waits for the first to make it."""
        with self._guard:
            lock = self._making.setdefault(path.stem, threading.Lock())
        with lock:
            yield

    def _evict(self, newest: Path) -> None:
        """Delete what was used longest ago until the rest fits."""
        files = []
        for path in self.folder.iterdir():
            if path.suffix in _EVICTED and path != newest:
                with contextlib.suppress(OSError):
                    found = path.stat()
                    files.append((found.st_mtime, found.st_size, path))
        with contextlib.suppress(OSError):
            files.append((float("inf"), newest.stat().st_size, newest))
        total = sum(size for _, size, _ in files)
        for _, size, path in sorted(files)[:-1]:
            if total <= self._most_bytes:
                return
            path.unlink(missing_ok=True)
            total -= size


def write(path: Path, content: Iterable[bytes]) -> None:
    """Write a file whole or not at all; only this user may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            for block in content:
                file.write(block)
        temporary.replace(path)
    except OSError as error:
        raise AudioError(f"{path}: cannot be written: {error}; is the disk full?") from error
    finally:
        temporary.unlink(missing_ok=True)


def forget_cached(store: Store, call_ids: Iterable[str]) -> int:
    """Delete what the page keeps of these calls; the number of files deleted.

    That is sound made playable, outlines, pictures from videos, and copies of what lies in a
    bucket, half-written ones included.
    """
    found = cached_of(store, call_ids)
    for path in found:
        path.unlink(missing_ok=True)
    return len(found)


def cached_of(store: Store, call_ids: Iterable[str]) -> list[Path]:
    """The files that :func:`forget_cached` deletes."""
    folder = store.place.work / FOLDER
    return [path for call_id in call_ids for path in folder.glob(f"*{hashed(call_id)}-*")]


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


def suffix_of(uri: str) -> str:
    """File ending of a URI, in lower case."""
    return PurePosixPath(uri).suffix.lower()


def hashed(text: str) -> str:
    """A name for the disk that tells nothing of the text: 32 hex digits of SHA-256."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
