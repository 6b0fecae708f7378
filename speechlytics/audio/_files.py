"""Bytes of a recording: where they are, whether they may be read, what they hash to."""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from speechlytics.buckets import open_url
from speechlytics.errors import AudioError, AudioOutOfReach

_CHUNK_BYTES = 1 << 20
# "http:evil.wav" or "concat:a|b" is a file name; only "scheme://" is a URL.
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(::[A-Za-z][A-Za-z0-9+.\-]*)*://")


@contextmanager
def local_file(uri: str) -> Iterator[Path]:
    """Absolute path of a recording on this machine, fetched to a temporary file if remote.

    A path is opened as it is; only ``scheme://…`` is taken for a URL (read through fsspec).

    Raises:
        AudioError: nothing is there, it is not a regular file, or it cannot be fetched.
    """
    if uri.startswith("file://"):
        uri = unquote(urlsplit(uri).path)
    if _URL.match(uri):
        with _fetched(uri) as path:
            yield path
        return
    # Absolute, so that FFmpeg cannot read a protocol out of a relative name.
    path = Path(uri).absolute()
    _refuse_irregular(path, uri)
    yield path


def fingerprint(uris: Sequence[str]) -> str:
    """SHA-256 (hex) over the bytes of the files, one after the other, as ``cat`` would join them.

    Raises:
        AudioError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for uri in uris:
        with local_file(uri) as path:
            feed(digest, path, uri)
    return digest.hexdigest()


def feed(digest: hashlib._Hash, path: Path, uri: str) -> None:
    """Add a file's bytes to a running hash.

    Raises:
        AudioError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            while block := file.read(_CHUNK_BYTES):
                digest.update(block)
    except OSError as error:
        raise unreadable(uri, error) from error


def unreadable(uri: str, error: OSError) -> AudioOutOfReach:
    """The error for a file that the operating system does not hand out."""
    cause = error.strerror or type(error).__name__
    return AudioOutOfReach(f"{uri}: cannot be read ({cause}); check the file and its permissions")


def _refuse_irregular(path: Path, uri: str) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise unreadable(uri, error) from error
    except ValueError as error:  # a NUL character in the name
        raise AudioError(f"{uri!r}: not a file name ({error})") from error
    if stat.S_ISDIR(mode):
        raise AudioError(f"{uri}: is a folder, not a recording")
    if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
        raise AudioError(f"{uri}: is not a regular file")


@contextmanager
def _fetched(url: str) -> Iterator[Path]:
    """Copy a remote file here for as long as it is needed; the name keeps its suffix."""
    suffix = PurePosixPath(urlsplit(url).path).suffix[:12]
    with tempfile.NamedTemporaryFile(prefix="speechlytics-", suffix=suffix) as copy:
        try:
            with open_url(url) as remote:
                shutil.copyfileobj(remote, copy, _CHUNK_BYTES)
            copy.flush()
        # Every fsspec backend raises its own kinds, botocore's and aiohttp's among them.
        except Exception as error:
            raise AudioOutOfReach(
                f"{url}: cannot be fetched ({type(error).__name__}: {error}); "
                "check the address, the credentials and that its fsspec backend is installed"
            ) from error
        yield Path(copy.name)
