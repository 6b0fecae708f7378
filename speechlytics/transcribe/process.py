"""The speech model in a process of its own, supervised.

Native code that dies, hangs or is shot takes only this process down. It is started again, and
the batch that it was busy with is halved until the guilty window stands alone.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.batches import Batch, Submission, halves, next_batch
from speechlytics.transcribe.child import Child, EngineFactory
from speechlytics.transcribe.engine import (
    EngineSettings,
    SpeechEngine,
    WindowFailure,
    WindowResult,
)
from speechlytics.transcribe.windows import Window

_ATTEMPTS = 2  # of a lone window: the process may have been killed by somebody else
_STILLBORN = 3  # deaths before the model ever answered, after which it is hopeless


def load_whisper(settings: EngineSettings) -> SpeechEngine:
    """The engine of this project; loads the speech libraries.

    Raises:
        TranscriptionError: the model does not load or hears nothing.
    """
    from speechlytics.transcribe.whisper import WhisperEngine

    return WhisperEngine(settings)


class ModelProcess:
    """One engine in one process, fed with windows of many calls.

    >>> with ModelProcess(engine_settings(config)) as model:  # doctest: +SKIP
    ...     futures = {call: model.submit(windows) for call, windows in prepared}

    Thread-safe. What waits is gathered across calls into batches that fill the engine. A script
    that uses it needs ``if __name__ == "__main__":`` (processes are spawned, never forked).
    """

    def __init__(
        self, settings: EngineSettings, *, load_engine: EngineFactory = load_whisper
    ) -> None:
        """Nothing is started before ``start`` or ``with``.

        Args:
            settings: Model and options.
            load_engine: Module-level function that loads the engine in the new process.
        """
        self._settings = settings
        self._load_engine = load_engine
        self._changed = threading.Condition()
        self._waiting: deque[Submission] = deque()
        self._waiting_windows = 0
        self._closing = False
        self._fatal: Exception | None = None
        self._child: Child | None = None
        self._supervisor = threading.Thread(target=self._supervise, name="model", daemon=True)
        self.restarts = 0

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        return self._settings.model_id

    @property
    def pid(self) -> int | None:
        """Process id of the model process, ``None`` while there is none."""
        child = self._child
        return None if child is None else child.process.pid

    @property
    def waiting_windows(self) -> int:
        """Windows handed in that the model has not begun with."""
        return self._waiting_windows

    def start(self) -> None:
        """Start the process and wait until the model has heard the reference clip.

        Raises:
            TranscriptionError: the model does not load, hears nothing, or takes too long.
        """
        self._child = self._new_child()
        self._supervisor.start()

    def submit(self, windows: Sequence[Window]) -> Future[tuple[WindowResult, ...]]:
        """Hand in the windows of one call; blocks while too many wait already.

        The future gives one result per window, in order: a transcript, or why there is none.
        It fails with ``TranscriptionError`` only if the model cannot be kept alive at all.
        """
        submission = Submission(tuple(windows))
        if not submission.windows:
            submission.future.set_result(())
            return submission.future
        size = len(submission.windows)
        limit = self._settings.config.queue_windows
        with self._changed:
            while self._waiting and self._waiting_windows + size > limit and not self._closing:
                self._changed.wait()
            if self._fatal is not None:
                raise TranscriptionError(str(self._fatal)) from self._fatal
            if self._closing:
                raise TranscriptionError("the model process is closed; submit before leaving it")
            self._waiting.append(submission)
            self._waiting_windows += size
            self._changed.notify_all()
        return submission.future

    def transcribe(self, windows: Sequence[Window]) -> tuple[WindowResult, ...]:
        """Hand in the windows of one call and wait for the results."""
        return self.submit(windows).result()

    def close(self, *, cancel: bool = False) -> None:
        """Finish what was handed in (or drop it) and end the process."""
        with self._changed:
            self._closing = True
            if cancel:
                self._fatal = self._fatal or TranscriptionError("the model process was closed")
                self._drop_waiting()
            self._changed.notify_all()
        if cancel and self._child is not None:
            self._child.kill()
        if self._supervisor.ident is not None:
            self._supervisor.join()
        if self._child is not None:
            self._child.end()
            self._child = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(cancel=kind is not None)

    def _supervise(self) -> None:
        """Feed the process batch by batch until closed; runs in a thread of its own."""
        try:
            while (batch := self._gather()) is not None:
                self._finish(batch)
        except Exception as error:  # the model cannot be kept alive: everybody must know
            with self._changed:
                self._fatal, self._closing = error, True
                self._drop_waiting()
                self._changed.notify_all()

    def _gather(self) -> Batch | None:
        with self._changed:
            while not self._waiting:
                if self._closing:
                    return None
                self._changed.wait()
            assert self._child is not None
            batch = next_batch(self._waiting, self._child.preferred_windows)
            self._waiting_windows -= len(batch)
            self._changed.notify_all()
            return batch

    def _finish(self, batch: Batch) -> None:
        """Work through a batch, halving what kills the process."""
        todo: list[tuple[Batch, int]] = [(batch, 1)]
        try:
            while todo:
                part, attempt = todo.pop()
                answer = self._ask(part)
                if isinstance(answer, WindowFailure):
                    if len(part) > 1:
                        todo += [(half, 1) for half in reversed(halves(part))]
                    elif attempt < _ATTEMPTS:
                        todo.append((part, attempt + 1))
                    else:
                        part.settle([answer])
                else:
                    part.settle(answer)
        except Exception as error:
            batch.fail(error)
            raise

    def _ask(self, batch: Batch) -> list[WindowResult] | WindowFailure:
        """Results of a batch, or how the process ended over it."""
        with self._changed:
            if self._fatal is not None:
                raise self._fatal
        if self._child is None or not self._child.alive:
            self.restarts += 1
            self._child = self._new_child()
        config = self._settings.config
        audio_s = sum(window.duration_ms for window in batch.windows) / 1000
        patience_s = config.hang_timeout_s + config.slowest_rtf * audio_s
        answer = self._child.ask(batch.windows, patience_s)
        if isinstance(answer, WindowFailure) and not self._child.alive:
            self._child.end()
        return answer

    def _new_child(self) -> Child:
        """A process with a loaded model; dying while loading is forgiven a few times.

        Raises:
            TranscriptionError: it says why it cannot load, or it does not get so far.
        """
        for attempt in range(1, _STILLBORN + 1):
            child = Child(self._settings, self._load_engine)
            try:
                child.wait_ready(self._settings.config.load_timeout_s)
            except EOFError as error:
                child.end()
                if attempt == _STILLBORN:
                    raise TranscriptionError(
                        f"model process for {self.model_id!r} died {attempt} times while loading "
                        f"({error}); is there memory enough? run `speechlytics models check`"
                    ) from error
            except BaseException:
                child.end()
                raise
            else:
                return child
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _drop_waiting(self) -> None:
        for submission in self._waiting:
            submission.future.set_exception(
                TranscriptionError(str(self._fatal or "the model process was closed"))
            )
        self._waiting.clear()
        self._waiting_windows = 0
