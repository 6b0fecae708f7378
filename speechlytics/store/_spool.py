"""Finished calls on their way to the store: an append-only file that survives a killed run.

A file starts with the schemas of the four tables of a call; then follow frames, one per
append, each with one Arrow IPC record batch per table and a checksum. A frame counts only when
it is whole, so a torn tail loses the calls of the last append and nothing else.

A file of one's own is mapped for its publication, not read: it costs no memory of its own.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
import time
import uuid
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from speechlytics.errors import StoreError
from speechlytics.schema import CALL_TABLES, TABLES
from speechlytics.store._rows import empty_tables
from speechlytics.store.durable import step, sync_folder

FOLDER = "_spool"
MAGIC = b"SPLYSPL1"
FRAME = struct.Struct("<IQI")
"""Mark, length of the payload in bytes, CRC-32 of the payload."""
MARK = 0x53504C59
PART = struct.Struct("<Q")
SYNC_EVERY_S = 2.0
"""At most this much of a night is redone after a power cut; a killed process loses nothing."""


class Spool:
    """Appends tables of finished calls to a file of its own in ``<store>/_spool``.

    Attributes:
        size: Bytes that were appended and are not published yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._stream: BinaryIO | None = None
        self._path: Path | None = None
        self._synced_at = 0.0
        self._whole: set[Path] = set()
        self.size = 0

    def append(self, tables: Mapping[str, pa.Table]) -> None:
        """Add the rows of whole calls.

        Raises:
            StoreError: the disk is full or fails; what was appended before stays readable.
        """
        pieces = [piece for name in CALL_TABLES for piece in _encode(tables[name])]
        length, checksum = sum(map(len, pieces)), 0
        for piece in pieces:
            checksum = zlib.crc32(piece, checksum)
        try:
            stream = self._stream or self._open()
            step("append", str(self._path))
            stream.write(FRAME.pack(MARK, length, checksum))
            stream.writelines(pieces)
            stream.flush()
            self.size += FRAME.size + length
            if time.monotonic() - self._synced_at >= SYNC_EVERY_S:
                self.sync()
        except OSError as error:
            # What was half written must stay the torn tail: go on in a new file.
            if self._path is not None:
                self._whole.discard(self._path)
            self._abandon()
            raise StoreError(
                f"{self._path or self._folder}: cannot spool results: {error}; "
                "free disk space and run again (finished calls are kept)"
            ) from error

    def sync(self) -> None:
        """Flush what was appended to the disk."""
        if self._stream is not None:
            step("sync", str(self._path))
            os.fsync(self._stream.fileno())
            self._synced_at = time.monotonic()

    def rotate(self) -> list[Path]:
        """Close the current file and list all that wait to be published, oldest first.

        Raises:
            OSError: the disk fails; the file is closed all the same.
        """
        try:
            self.sync()
        finally:
            self._abandon()
        return sorted(self._folder.glob("*.spool"))

    def take(self, path: Path) -> list[dict[str, pa.Table]]:
        """Frames of a file that waits, oldest first."""
        return read(path, own=path in self._whole)

    def published(self) -> None:
        """Count from nothing again: all that was appended is in the tables."""
        self._whole.clear()
        self.size = 0

    def _open(self) -> BinaryIO:
        self._folder.mkdir(parents=True, exist_ok=True)
        # Nanoseconds keep files in the order in which they were begun.
        self._path = self._folder / f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.spool"
        step("write", str(self._path))
        stream = self._path.open("xb")
        self._stream = stream
        self._whole.add(self._path)
        schemas = b"".join(_sized(TABLES[n].serialize().to_pybytes()) for n in CALL_TABLES)
        stream.write(MAGIC + schemas)
        sync_folder(self._folder)
        return stream

    def _abandon(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            # Python closes the descriptor even so; what it could not write is the torn tail.
            with contextlib.suppress(OSError):
                stream.close()


def read(path: Path, *, own: bool = False) -> list[dict[str, pa.Table]]:
    """Whole frames of a spool file, in order; a torn tail is left out.

    Args:
        path: The file.
        own: This process wrote it and no append failed: it is mapped, and not checked.
    """
    data = _mapped(path) if own else path.read_bytes()
    if data[: len(MAGIC)] != MAGIC:
        return []
    view, at = memoryview(data), len(MAGIC)
    schemas: list[pa.Schema] = []
    for _ in CALL_TABLES:
        part, at = _take(view, at)
        if part is None:
            return []
        schemas.append(pa.ipc.read_schema(pa.py_buffer(part)))
    frames: list[dict[str, pa.Table]] = []
    while at + FRAME.size <= len(data):
        mark, length, checksum = FRAME.unpack_from(view, at)
        payload = view[at + FRAME.size : at + FRAME.size + length]
        if mark != MARK or len(payload) < length:
            break
        if not own and zlib.crc32(payload) != checksum:
            break
        frames.append(_decode(payload, schemas))
        at += FRAME.size + length
    return frames


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as stream:
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def merge(frames: Iterable[Mapping[str, pa.Table]]) -> dict[str, pa.Table]:
    """All frames as one set of tables; of a call that occurs again, the last frame counts."""
    kept: list[Mapping[str, pa.Table]] = []
    later: set[str] = set()
    for frame in reversed(list(frames)):
        ids = frame["calls"].column("call_id").to_pylist()
        if later.isdisjoint(ids):
            kept.append(frame)
        else:
            kept.append({name: _without(table, later) for name, table in frame.items()})
        later.update(ids)
    kept.append(empty_tables())
    return {name: pa.concat_tables([f[name] for f in reversed(kept)]) for name in CALL_TABLES}


def _without(table: pa.Table, call_ids: set[str]) -> pa.Table:
    mask = [call_id not in call_ids for call_id in table.column("call_id").to_pylist()]
    return table.filter(pa.array(mask, pa.bool_()))


def _sized(data: bytes) -> bytes:
    return PART.pack(len(data)) + data


def _take(view: memoryview, at: int) -> tuple[memoryview | None, int]:
    if at + PART.size > len(view):
        return None, at
    (length,) = PART.unpack_from(view, at)
    start = at + PART.size
    part = view[start : start + length]
    return (part, start + length) if len(part) == length else (None, at)


def _encode(table: pa.Table) -> tuple[bytes, memoryview]:
    """What :func:`_sized` says of the rows, but without a copy of them."""
    batches = table.combine_chunks().to_batches()
    rows = memoryview(batches[0].serialize() if batches else b"")
    return PART.pack(len(rows)), rows


def _decode(payload: memoryview, schemas: list[pa.Schema]) -> dict[str, pa.Table]:
    tables: dict[str, pa.Table] = {}
    at = 0
    for name, schema in zip(CALL_TABLES, schemas, strict=True):
        part, at = _take(payload, at)
        if not part:
            tables[name] = TABLES[name].empty_table()
            continue
        batch = pa.ipc.read_record_batch(pa.py_buffer(part), schema)
        tables[name] = _grown(pa.Table.from_batches([batch]), TABLES[name])
    return tables


def _grown(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A spool of an older version, with today's columns."""
    if table.schema.equals(schema):
        return table
    columns = [
        table.column(f.name).cast(f.type)
        if f.name in table.column_names
        else pa.nulls(table.num_rows, f.type)
        for f in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
