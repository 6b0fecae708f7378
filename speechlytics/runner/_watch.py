"""Items that a pool of processes lost: a worker took them and is gone, and the pool waits on.

pebble does not see it when a worker is killed between taking an item and saying so, nor when it
hears of the death before the word; and a lock that the dead held keeps it from ending a worker
that hangs. So each worker holds a file lock while it works, which the system frees with the
process, and items are taken in the order in which they were given.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, Generic

from filelock import FileLock, Timeout

from speechlytics.runner._outcome import Item, Result

CHECK_EVERY_S = 5.0
GONE_AFTER_S = 30.0
"""An item is lost when nobody has worked on it for so long, though its turn has come, ..."""
STUCK_AFTER_S = 180.0
"""... when of all items none has begun for so long (workers load their libraries first), ..."""
OVERDUE_AFTER_S = 60.0
"""... or when the pool has not ended it so long after its time limit."""


@dataclass(slots=True)
class Flight(Generic[Item]):
    """An item under way: its place in the order of all, and since when nobody works on it."""

    item: Item
    attempt: int
    number: int
    lock: str | None
    begun_at: float | None = None
    idle_since: float | None = None


def hold(lock: str | None, function: Callable[[Item], Result], item: Item) -> Result:
    """``function(item)``, in a worker that shows as long as it lives that it works on it."""
    with contextlib.nullcontext() if lock is None else FileLock(lock):
        return function(item)


class Watch:
    """Tells which items under way are lost; give it every item that begins and ends."""

    def __init__(self, timeout_s: float | None) -> None:
        self._timeout_s = timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="speechlytics-runner-")
        self._numbers = count()
        self._newest_begun = -1
        self._quiet_since = time.monotonic()

    def close(self) -> None:
        """Remove the locks."""
        self._folder.cleanup()

    def begin(self, item: Item, attempt: int) -> Flight[Item]:
        """An item that is about to be given to the pool."""
        number = next(self._numbers)
        # however long the items, or whoever takes the outcomes, kept the pool waiting
        self._quiet_since = time.monotonic()
        lock = Path(self._folder.name) / f"{number}.lock"
        try:
            lock.touch()
        except OSError:
            # a full disk must not fail the item; it goes unwatched
            return Flight(item, attempt, number, None)
        return Flight(item, attempt, number, str(lock))

    def end(self, flight: Flight[Any]) -> None:
        """The pool has answered for an item."""
        self._newest_begun = max(self._newest_begun, flight.number)
        self._quiet_since = time.monotonic()
        if flight.lock is not None:
            Path(flight.lock).unlink(missing_ok=True)

    def lost(
        self, under_way: Mapping[Future[Result], Flight[Item]]
    ) -> dict[Future[Result], Flight[Item]]:
        """Those of the items under way that nobody will finish."""
        now = time.monotonic()
        unfinished = {f: flight for f, flight in under_way.items() if not f.done()}
        begun = [flight.number for future, flight in unfinished.items() if future.running()]
        if begun:
            self._quiet_since = now
            self._newest_begun = max(self._newest_begun, *begun)
        elif now - self._quiet_since >= STUCK_AFTER_S:
            self._quiet_since = now
            return unfinished
        return {f: flight for f, flight in unfinished.items() if self._is_lost(f, flight, now)}

    def _is_lost(self, future: Future[Any], flight: Flight[Any], now: float) -> bool:
        if future.running():
            flight.begun_at = flight.begun_at or now
            limit_s = None if self._timeout_s is None else self._timeout_s + OVERDUE_AFTER_S
            if limit_s is not None and now - flight.begun_at >= limit_s:
                return True
            idle = not _is_held(flight.lock)
        else:
            # an item behind it was taken, so it was taken, too: by whom?
            idle = flight.number < self._newest_begun
        flight.idle_since = (flight.idle_since or now) if idle else None
        return flight.idle_since is not None and now - flight.idle_since >= GONE_AFTER_S


def _is_held(lock: str | None) -> bool:
    if lock is None:
        return True
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True
