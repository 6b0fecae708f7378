"""The one place through which every durable step of the store goes.

Each step announces itself to :func:`step` before it happens, so that a test can fail or kill
the process before the n-th one. Local files are flushed to the disk before anything refers to
them; object stores are durable when a put returns, so there only the put remains.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from speechlytics.buckets import arrow_filesystem, as_fsspec, is_s3, options_of
from speechlytics.errors import StoreError

Hook = Callable[[str, str], None]
_hooks: list[Hook] = []


def step(action: str, target: str) -> None:
    """Announce a durable step (``write``, ``sync``, ``replace``, ``remove``, ``commit``)."""
    for hook in _hooks:
        hook(action, target)


@contextlib.contextmanager
def intercepted(hook: Hook) -> Iterator[None]:
    """Call ``hook(action, target)`` before every durable step (fault tests)."""
    _hooks.append(hook)
    try:
        yield
    finally:
        _hooks.remove(hook)


def sync_folder(folder: Path) -> None:
    """Make creations and renames inside a local folder survive a power cut."""
    step("sync", str(folder))
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_file(path: Path) -> None:
    """Flush a local file that something else wrote."""
    step("sync", str(path))
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def replace_file(temporary: Path, path: Path) -> None:
    """Put a finished local file in the place of another, atomically and durably."""
    sync_file(temporary)
    step("replace", str(path))
    temporary.replace(path)
    sync_folder(path.parent)


def write_file(path: Path, data: bytes) -> None:
    """Write a local file so that it holds either the old or the new bytes, never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        step("write", str(path))
        temporary.write_bytes(data)
        replace_file(temporary, path)
    except Exception:
        temporary.unlink(missing_ok=True)
        raise


@dataclass(frozen=True)
class Place:
    """Root of a store: a local folder, or a bucket reached through ``pyarrow.fs``.

    Attributes:
        root: Absolute path or URL, without a trailing slash.
        storage_options: What delta-rs needs to reach a bucket (region, endpoint, keys); what is
            left out is taken from the environment.
        filesystem: How files are reached; found from ``root`` when not given.
        work_folder: Local folder for the lock, the spool and the catalog of a bucket; without
            it a folder in the user's cache.
        opened: Delta tables kept open by a writer (opening one costs more than writing a call
            a hundred times); ``None`` opens afresh each time.
        listed: Likewise the version and the files of each table.
    """

    root: str
    storage_options: Mapping[str, str] = field(default_factory=dict)
    filesystem: pafs.FileSystem = None
    work_folder: str | None = None
    opened: dict[str, Any] | None = field(default=None, compare=False, repr=False)
    listed: dict[str, tuple[int, list[Any]]] | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        root = self.root.rstrip("/") or "/"
        if "://" not in root:
            root = str(Path(root).expanduser().absolute())
        object.__setattr__(self, "root", root)
        if self.filesystem is None:
            local = self.is_local
            found = (
                pafs.LocalFileSystem() if local else arrow_filesystem(root, self.storage_options)
            )
            object.__setattr__(self, "filesystem", found)
        if is_s3(root):
            object.__setattr__(self, "storage_options", options_of(self.storage_options))

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return "://" not in self.root

    def local(self, name: str = "") -> Path:
        """Local path inside the store.

        Raises:
            StoreError: the store is a bucket.
        """
        if not self.is_local:
            raise StoreError(f"{self.root}: is not a local folder")
        return Path(self.root, name)

    @property
    def work(self) -> Path:
        """Local folder for locks, spool and catalog: the store itself, or a cache for a bucket."""
        if self.is_local:
            return Path(self.root)
        if self.work_folder is not None:
            return Path(self.work_folder).expanduser().absolute()
        base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
        key = hashlib.sha256(self.root.encode()).hexdigest()[:16]
        return Path(base).expanduser() / "speechlytics" / key

    def uri(self, name: str) -> str:
        """Path or URL of a file or folder, as other tools name it."""
        return f"{self.root}/{name}"

    def path(self, name: str) -> str:
        """The same as the filesystem object names it (without scheme)."""
        if self.is_local:
            return self.uri(name)
        parts = urlsplit(self.root)
        return f"{parts.netloc}{parts.path}/{name}"

    def show_to(self, connection: Any) -> None:
        """Let a DuckDB connection read the files of a bucket, without its httpfs extension."""
        if is_s3(self.root):
            connection.register_filesystem(as_fsspec(self.filesystem))

    def read_json(self, name: str) -> dict[str, Any] | None:
        """A small JSON file, or ``None`` when there is none.

        Raises:
            StoreError: it is there but cannot be read.
        """
        try:
            with self.filesystem.open_input_file(self.path(name)) as stream:
                return dict(json.loads(stream.read()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise StoreError(f"{self.uri(name)}: cannot be read: {error}") from error

    def write_json(self, name: str, value: Mapping[str, Any]) -> None:
        """Replace a small JSON file atomically."""
        data = json.dumps(value, ensure_ascii=False).encode()
        if self.is_local:
            write_file(self.local(name), data)
            return
        step("write", name)
        with self.filesystem.open_output_stream(self.path(name)) as stream:
            stream.write(data)

    def write_parquet(
        self,
        name: str,
        schema: pa.Schema,
        parts: Iterable[pa.Table],
        rows_per_group: int,
        options: Mapping[str, Any],
    ) -> int:
        """Write an immutable Parquet file (``options`` as pyarrow's); return its size in bytes.

        Nothing refers to it until a commit does, so it needs no temporary name; when writing
        fails (a full disk, say) what was written is removed.
        """
        path = self.path(name)
        if self.is_local:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            step("write", name)
            with (
                self.filesystem.open_output_stream(path) as stream,
                pq.ParquetWriter(stream, schema, **options) as writer,
            ):
                for part in parts:
                    writer.write_table(part, rows_per_group)
            if self.is_local:
                sync_file(Path(path))
        except Exception:
            self.remove(name, announce=False)
            raise
        return int(self.filesystem.get_file_info(path).size)

    def read_parquet(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """Read one Parquet file, without interpreting its folder names."""
        return pq.ParquetFile(self.path(name), filesystem=self.filesystem).read(columns=columns)

    def parquet_columns(self, name: str) -> list[str]:
        """Names of the columns of a Parquet file, from its footer."""
        path = self.path(name)
        return list(pq.ParquetFile(path, filesystem=self.filesystem).schema_arrow.names)

    def remove(self, name: str, *, announce: bool = True) -> None:
        """Delete a file; one that is gone already is fine."""
        if announce:
            step("remove", name)
        with contextlib.suppress(FileNotFoundError):
            self.filesystem.delete_file(self.path(name))

    def names(self, folder: str) -> list[str]:
        """Names of the files that lie directly in a folder; none where it does not exist."""
        selector = pafs.FileSelector(self.path(folder), allow_not_found=True)
        found = self.filesystem.get_file_info(selector)
        return sorted(info.base_name for info in found if info.type == pafs.FileType.File)

    def remove_empty_days(self, table: str) -> None:
        """Delete the folders of days that hold no file any more; buckets have none."""
        if self.is_local:
            for folder in self.local(table).glob("*=*"):
                with contextlib.suppress(OSError):
                    folder.rmdir()
