"""Submissions of single calls, gathered into batches for the engine and dealt out again."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

from speechlytics.transcribe.engine import WindowResult
from speechlytics.transcribe.windows import Window


@dataclass(slots=True)
class Submission:
    """The windows of one call, and the future that waits for all of them."""

    windows: tuple[Window, ...]
    future: Future[tuple[WindowResult, ...]] = field(default_factory=Future)
    _results: dict[int, WindowResult] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def settle(self, index: int, result: WindowResult) -> None:
        """Note the result of a window; the last one completes the future."""
        with self._lock:
            self._results[index] = result
            complete = len(self._results) == len(self.windows)
        if complete and not self.future.done():
            self.future.set_result(tuple(self._results[i] for i in range(len(self.windows))))


@dataclass(frozen=True, slots=True)
class Batch:
    """Windows of several submissions that go to the engine together."""

    items: tuple[tuple[Submission, int], ...]

    def __len__(self) -> int:
        return len(self.items)

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows themselves."""
        return tuple(submission.windows[index] for submission, index in self.items)

    def settle(self, results: Sequence[WindowResult]) -> None:
        """Deal results out to the submissions."""
        for (submission, index), result in zip(self.items, results, strict=True):
            submission.settle(index, result)

    def fail(self, error: Exception) -> None:
        """Give up on everybody in the batch who still waits."""
        for submission, _ in self.items:
            if not submission.future.done():
                submission.future.set_exception(error)


def next_batch(waiting: deque[Submission], preferred_windows: int) -> Batch:
    """Take whole submissions from the queue until the engine is filled or nobody waits.

    Calls are not torn apart: the windows of a channel decide its language together.
    """
    items: list[tuple[Submission, int]] = []
    while waiting and (not items or len(items) + len(waiting[0].windows) <= preferred_windows):
        submission = waiting.popleft()
        items += [(submission, index) for index in range(len(submission.windows))]
    return Batch(tuple(items))


def halves(batch: Batch) -> list[Batch]:
    """A batch in two, along the border of a channel if there is one, else anywhere."""
    keys = [
        (submission.windows[index].call_id, submission.windows[index].channel)
        for submission, index in batch.items
    ]
    middle = len(batch) // 2
    borders = [at for at in range(1, len(keys)) if keys[at] != keys[at - 1]]
    cut = min(borders, key=lambda at: abs(at - middle), default=middle)
    return [Batch(batch.items[:cut]), Batch(batch.items[cut:])]
