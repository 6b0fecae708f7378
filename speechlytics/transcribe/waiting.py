"""Calls that wait for the speech model: filled by many threads, emptied by one per process."""

from __future__ import annotations

import threading
from collections import deque

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.batches import Batch, Submission, next_batch


class WindowQueue:
    """Bounded in windows. Batches are taken as full as what waits allows."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[Submission] = deque()
        self._closing = False
        self._fatal: Exception | None = None
        self.windows = 0

    def put(self, submission: Submission, limit: int) -> None:
        """Queue a call; blocks while more than ``limit`` windows would wait.

        A call of more windows than that is let in when nobody else waits.

        Raises:
            TranscriptionError: the queue is closed, or the model cannot be kept alive.
        """
        size = len(submission.windows)
        with self._changed:
            while self._waiting and self.windows + size > limit and not self._closing:
                self._changed.wait()
            self._check()
            if self._closing:
                raise TranscriptionError("the model process is closed; submit before leaving it")
            self._waiting.append(submission)
            self.windows += size
            self._changed.notify_all()

    def take(self, preferred_windows: int, *, idle: bool) -> Batch | None:
        """The next batch, or ``None``.

        Args:
            preferred_windows: Windows that fill the engine.
            idle: The engine has nothing to do: take what there is, or wait for it until the
                queue closes. Otherwise only a full batch is worth taking ahead.
        """
        with self._changed:
            self._check()
            while idle and not self._waiting and not self._closing:
                self._changed.wait()
                self._check()
            if not self._waiting:
                return None
            if not idle and self.windows < preferred_windows and not self._closing:
                return None
            batch = next_batch(self._waiting, preferred_windows)
            self.windows -= len(batch)
            self._changed.notify_all()
            return batch

    def close(self) -> None:
        """Take no more in; what waits is still handed out."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()

    def abort(self, error: Exception) -> None:
        """Fail everybody who waits, and whoever comes; the first reason stays."""
        with self._changed:
            self._closing = True
            self._fatal = self._fatal or error
            for submission in self._waiting:
                submission.future.set_exception(TranscriptionError(str(self._fatal)))
            self._waiting.clear()
            self.windows = 0
            self._changed.notify_all()

    def _check(self) -> None:
        if self._fatal is not None:
            raise TranscriptionError(str(self._fatal)) from self._fatal
