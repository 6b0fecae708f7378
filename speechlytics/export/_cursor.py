"""What a target was given already, so that ``--new`` neither repeats nor loses a row.

Per target ``<store>/_exports/<target>.json`` and ``.ids`` (16 bytes per row, its identity
hashed). A delivery goes in five steps, each atomic:

1. the file is written beside its target under a temporary name and flushed;
2. the rows' identities are appended to ``.ids``;
3. the cursor names the delivery as pending: temporary name, target, count, digest;
4. the file is renamed to its target;
5. the cursor counts the rows as delivered.

Killed before 3, nothing was delivered and the identities beyond the count are cut off. Killed
after 3, the next export finishes: the temporary file still there means not yet renamed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from speechlytics.errors import StoreError
from speechlytics.store import durable

FOLDER = "_exports"
ID_BYTES = 16


@dataclass(frozen=True, slots=True)
class Delivery:
    """A finished file and the rows it holds."""

    temporary: Path
    target: Path
    ids: tuple[bytes, ...]


class Cursor:
    """Memory of one target; use it under :func:`opened`."""

    def __init__(self, folder: Path, key: str) -> None:
        self._state_path = folder / f"{key}.json"
        self._ids_path = folder / f"{key}.ids"
        state = self._read()
        self._count = int(state["delivered"])
        if state["pending"] is not None:
            self._finish(state["pending"])
        data = self._ids_path.read_bytes() if self._ids_path.exists() else b""
        data = data[: self._count * ID_BYTES]
        if len(data) < self._count * ID_BYTES:
            raise StoreError(
                f"{self._ids_path}: is shorter than {self._state_path.name} says; "
                "restore both from a backup, or delete both to export everything again"
            )
        self._delivered = {data[i : i + ID_BYTES] for i in range(0, len(data), ID_BYTES)}

    def knows(self, identity: bytes) -> bool:
        """Whether the target was given this row."""
        return identity in self._delivered

    def deliver(self, delivery: Delivery) -> None:
        """Steps 2 to 5 for a file that was written (step 1)."""
        self._append(delivery.ids)
        pending = {
            "temporary": str(delivery.temporary),
            "target": str(delivery.target),
            "count": self._count + len(delivery.ids),
            "sha256": hashlib.sha256(delivery.temporary.read_bytes()).hexdigest(),
        }
        self._write(pending)
        self._finish(pending)
        self._delivered.update(delivery.ids)

    def _append(self, ids: tuple[bytes, ...]) -> None:
        durable.step("append", str(self._ids_path))
        self._ids_path.touch()
        with self._ids_path.open("r+b") as stream:
            stream.truncate(self._count * ID_BYTES)
            stream.seek(0, os.SEEK_END)
            stream.write(b"".join(ids))
            stream.flush()
            os.fsync(stream.fileno())

    def _finish(self, pending: dict[str, Any]) -> None:
        temporary, target = Path(pending["temporary"]), Path(pending["target"])
        if temporary.exists():
            durable.replace_file(temporary, target)
        self._count = int(pending["count"])
        self._write(None)

    def _read(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._state_path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {"delivered": 0, "pending": None}
        except (OSError, ValueError) as error:
            raise StoreError(f"{self._state_path}: cannot be read: {error}") from error

    def _write(self, pending: dict[str, Any] | None) -> None:
        state = {"delivered": self._count, "pending": pending}
        durable.write_file(self._state_path, json.dumps(state).encode())


def overwrite(work: Path, ids: Collection[bytes], *, dry_run: bool = False) -> int:
    """Put random bytes in the place of rows' identities, in the memory of every target.

    The rows count as delivered still, and nothing tells any more which they were.

    Returns:
        Identities found.
    """
    found = 0
    for path in sorted((work / FOLDER).glob("*.ids")):
        with _locked(path.parent, path.stem):
            data = path.read_bytes()
            kept = [data[i : i + ID_BYTES] for i in range(0, len(data), ID_BYTES)]
            known = sum(identity in ids for identity in kept)
            found += known
            if known and not dry_run:
                new = [secrets.token_bytes(ID_BYTES) if i in ids else i for i in kept]
                durable.write_file(path, b"".join(new))
    return found


def _locked(folder: Path, key: str) -> FileLock:
    return FileLock(folder / f"{key}.lock")


@contextlib.contextmanager
def opened(work: Path, what: str, target: str) -> Iterator[Cursor]:
    """The cursor of a target, for one export at a time; finishes a delivery that was killed."""
    folder = work / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    key = hashlib.sha256(f"{what}\0{target}".encode()).hexdigest()[:16]
    with _locked(folder, key):
        yield Cursor(folder, key)
