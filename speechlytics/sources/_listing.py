"""Files of a source: a folder, a glob, one file, or an fsspec URL."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from speechlytics.buckets import open_filesystem
from speechlytics.errors import SourceError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WILD = frozenset("*?[")
SCREENS_SUFFIX = ".screens"


@dataclass(frozen=True, slots=True)
class Stored:
    """What tells that a file has changed; ``None`` where the source does not tell."""

    size_bytes: int | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """One recording file.

    Attributes:
        uri: Absolute path, or URL.
        name: Path relative to the source, with ``/``.
        stored: Size and time as a remote listing tells them; local files are asked when the
            call is described.
    """

    uri: str
    name: str
    stored: Stored | None = None

    @property
    def stem(self) -> str:
        """File name without its last suffix."""
        name = self.name.rpartition("/")[2]
        return name.rpartition(".")[0] or name


@dataclass(slots=True)
class Listing:
    """What a source holds, sorted by name, and access to the small files beside it.

    ``root`` is the local folder that nothing is read outside of, ``None`` for a remote source.
    ``errors`` are folders that could not be listed.
    """

    root: Path | None
    found: list[Found] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    filesystem: Any = None

    def stored(self, files: Sequence[Found]) -> Stored:
        """Sum of the sizes and latest change of the files of a call."""
        each = [file.stored or _stat(file.uri) for file in files]
        sizes = [one.size_bytes for one in each if one.size_bytes is not None]
        times = [one.modified_at for one in each if one.modified_at is not None]
        return Stored(sum(sizes) if sizes else None, max(times, default=None))

    def read(self, uri: str, limit_bytes: int) -> bytes | None:
        """Content of a small file; ``None`` if there is none.

        Raises:
            OSError: it is there but cannot be read, or is larger than the limit.
        """
        try:
            if self.filesystem is None:
                with Path(uri).open("rb") as file:
                    content = file.read(limit_bytes + 1)
            else:
                content = self.filesystem.cat_file(uri, end=limit_bytes + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if len(content) > limit_bytes:
            raise OSError(27, f"larger than {limit_bytes} bytes")
        return bytes(content)


def list_files(path: str, suffixes: tuple[str, ...], *, key: str = "source.path") -> Listing:
    """List the recordings of a source, or other files of its kind.

    Folders are walked without following links to folders; hidden files are passed over.

    Args:
        path: Folder, glob, file or fsspec URL.
        suffixes: File name endings that are taken.
        key: Where ``path`` stands in the pipeline file, for messages.

    Raises:
        SourceError: the source does not exist or cannot be listed.
    """
    endings = tuple(suffix.lower() for suffix in suffixes)
    if "://" in path and not path.startswith(("/", "file://")):
        listing = _remote(path, endings, key)
    else:
        listing = _local(path.removeprefix("file://"), endings, key)
    listing.found.sort(key=lambda found: found.name)
    return listing


def _local(path: str, endings: tuple[str, ...], key: str) -> Listing:
    place = Path(path).absolute()
    if place.is_dir():
        listing = Listing(place)
        listing.found = [
            Found(name, name.removeprefix(f"{place}{os.sep}").replace(os.sep, "/"))
            for name in _walk(place, listing.errors)
            if name.lower().endswith(endings)
        ]
        return listing
    if place.is_file():
        return Listing(place.parent, [Found(str(place), place.name)])
    if not _WILD.intersection(path):
        raise SourceError(f"{key} = {path!r} does not exist; check the path")
    parts = place.parts
    first = next(index for index, part in enumerate(parts) if _WILD.intersection(part))
    root = Path(*parts[:first])
    if not root.is_dir():
        raise SourceError(f"{key} = {path!r}: folder {str(root)!r} does not exist")
    found = [
        Found(name, Path(name).relative_to(root).as_posix())
        for name in glob.iglob(str(place), recursive=True)  # noqa: PTH207 - takes absolute ones
        if name.lower().endswith(endings) and Path(name).is_file()
    ]
    return Listing(root, found)


def _walk(root: Path, errors: list[str]) -> Iterator[str]:
    def failed(error: OSError) -> None:
        errors.append(f"{error.filename}: folder cannot be read ({error.strerror})")

    for folder, folders, files in os.walk(root, onerror=failed):
        folders[:] = [
            name for name in folders if not name.startswith(".") and SCREENS_SUFFIX not in name
        ]
        yield from (os.path.join(folder, name) for name in files if not name.startswith("."))  # noqa: PTH118 - a Path per file costs ten times as much


def _stat(path: str) -> Stored:
    try:
        status = Path(path).stat()
        # Whole microseconds: a float would not come back the same from the store.
        return Stored(status.st_size, _EPOCH + timedelta(microseconds=status.st_mtime_ns // 1000))
    except (OSError, ValueError, OverflowError):
        return Stored()


def _remote(url: str, endings: tuple[str, ...], key: str) -> Listing:
    entries: dict[str, Any] | None = None
    try:
        filesystem, root = open_filesystem(url)
        filesystem.invalidate_cache()
        wild = bool(_WILD.intersection(root))
        if wild:
            entries = filesystem.glob(root, detail=True)
        elif filesystem.exists(root):
            entries = filesystem.find(root, detail=True)
    except Exception as error:  # every backend raises its own kinds
        raise SourceError(
            f"{key} = {url!r} cannot be listed ({type(error).__name__}: {error}); check the "
            "address, the credentials and that its fsspec backend is installed"
        ) from error
    if entries is None:
        raise SourceError(f"{key} = {url!r} does not exist; check the address")
    base = root.split("*", 1)[0].rsplit("/", 1)[0] if wild else root.rstrip("/")
    found = [
        Found(
            filesystem.unstrip_protocol(name),
            name.removeprefix(base).lstrip("/") or name.rsplit("/", 1)[-1],
            Stored(entry.get("size"), _remote_time(entry)),
        )
        for name, entry in entries.items()
        if entry.get("type") == "file" and name.lower().endswith(endings)
    ]
    return Listing(None, found, filesystem=filesystem)


def _remote_time(entry: dict[str, Any]) -> datetime | None:
    for key in ("LastModified", "last_modified", "mtime", "updated", "created"):
        value = entry.get(key)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    return None
