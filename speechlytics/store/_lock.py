"""Locks of a store: one writer at a time, and short turns for commits and catalog swaps.

Both are advisory file locks that the system frees when their holder dies, however it dies.
Readers take none.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from speechlytics.errors import StoreLocked

TURN_TIMEOUT_S = 120.0
"""A turn lasts well under a second; waiting this long means that its holder hangs."""


@contextlib.contextmanager
def writer_lock(folder: Path) -> Iterator[None]:
    """Be the only writer of the store.

    Raises:
        StoreLocked: another process is; the message names its pid, host and start.
    """
    folder.mkdir(parents=True, exist_ok=True)
    holder = folder / ".lock.json"
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StoreLocked(
            f"{folder}: {_describe(holder)} is writing to this store; "
            "wait until it ends (reading needs no lock)"
        ) from error
    try:
        entry = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        holder.write_text(json.dumps(entry), encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


@contextlib.contextmanager
def turn(folder: Path) -> Iterator[None]:
    """Take a short turn at committing to shared tables and swapping the catalog.

    Raises:
        StoreLocked: nobody let go for :data:`TURN_TIMEOUT_S`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".commit.lock")
    try:
        lock.acquire(timeout=TURN_TIMEOUT_S, poll_interval=0.01)
    except Timeout as error:
        raise StoreLocked(
            f"{folder}: another process has held the commit lock for {TURN_TIMEOUT_S:.0f} s; "
            "see which process has .commit.lock open"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _describe(holder: Path) -> str:
    try:
        entry = json.loads(holder.read_text(encoding="utf-8"))
        return f"process {entry['pid']} on {entry['host']} (since {entry['since']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
