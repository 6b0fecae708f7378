"""The model's process itself: what runs in it, and the end of the pipe that the parent holds.

Batches and answers carry a number. Two batches may be in the process at once: while the threads
of the engine finish one, they take up the next, so that no core waits for the slowest window of
a batch, and the pipe is read while the engine works.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from typing import Any

from speechlytics.errors import SpeechlyticsError, TranscriptionError
from speechlytics.transcribe.engine import (
    EngineSettings,
    SpeechEngine,
    WindowFailure,
    WindowResult,
)
from speechlytics.transcribe.windows import Window

EngineFactory = Callable[[EngineSettings], SpeechEngine]

BATCHES_AT_ONCE = 2
_CLOSE_S = 10.0


@dataclass(frozen=True, slots=True)
class Ready:
    """First word of a process whose engine is loaded; fields as in ``SpeechEngine``."""

    preferred_windows: int
    devices: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Results of the batch ``number``; ``busy_s`` is the engine's working time so far."""

    number: int
    results: list[WindowResult] | WindowFailure
    busy_s: float


class Child:
    """The process and the pipe to it; a new one has a new pipe, so nothing torn is ever read."""

    def __init__(self, settings: EngineSettings, load_engine: EngineFactory) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self.process = context.Process(
            target=serve, args=(theirs, settings, load_engine), name="speech-model", daemon=True
        )
        self.process.start()
        theirs.close()
        self.ready = Ready(preferred_windows=1, devices=1)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the engine is loaded; its own errors are raised here."""
        answer = self._receive(timeout_s, timeout_s)
        if isinstance(answer, SpeechlyticsError):
            raise answer
        if isinstance(answer, WindowFailure):
            raise TranscriptionError(f"speech model does not load: {answer.error}")
        self.ready = answer

    def send(self, number: int, windows: tuple[Window, ...], patience_s: float) -> None:
        """Hand a batch over; if the process is dying, ``receive`` will say so."""
        # A process that hangs with the interpreter's lock held reads no pipe.
        guard = threading.Timer(patience_s, self.process.kill)
        guard.daemon = True
        guard.start()
        try:
            with contextlib.suppress(OSError):
                self._pipe.send((number, windows))
        finally:
            guard.cancel()

    def receive(self, until: float, patience_s: float) -> Answer | WindowFailure:
        """The next answer, or how the process ended; after a hang or a death it is gone.

        Args:
            until: When to lose patience, on ``time.monotonic``'s clock.
            patience_s: How long that is in all, for the message.
        """
        try:
            answer: Answer = self._receive(max(0.0, until - time.monotonic()), patience_s)
        except (EOFError, OSError) as error:
            self.kill()
            return WindowFailure(f"the speech model's process ended ({error})")
        except TranscriptionError as error:
            self.kill()
            return WindowFailure(str(error))
        return answer

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join(_CLOSE_S)

    def end(self) -> None:
        """Let it finish by itself, or not."""
        self._pipe.close()
        self.process.join(_CLOSE_S)
        if self.process.is_alive():
            self.kill()

    def _receive(self, timeout_s: float, patience_s: float) -> Any:
        """What the process sends next.

        Raises:
            EOFError: it ended instead; says how.
            TranscriptionError: it said nothing in time and was killed.
        """
        # Its end of the pipe may have been inherited elsewhere: watch the process as well.
        ready = connection.wait([self._pipe, self.process.sentinel], timeout_s)
        if not ready:
            self.kill()
            raise TranscriptionError(f"the speech model gave no answer for {patience_s:.0f} s")
        try:
            if self._pipe in ready or self._pipe.poll():
                return self._pipe.recv()
        except (EOFError, OSError):  # it died before or while it answered: said below
            ready.clear()
        self.process.join(_CLOSE_S)
        raise EOFError(_exit_reason(self.process.exitcode))


def _exit_reason(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit code {exitcode}"
    return signal.Signals(-exitcode).name


def serve(pipe: Connection, settings: EngineSettings, load_engine: EngineFactory) -> None:
    """Main function of the process: load, then answer batch after batch until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    try:
        engine = load_engine(settings)
    except SpeechlyticsError as error:
        pipe.send(error)
        return
    except Exception as error:  # told to the parent, which raises it
        pipe.send(WindowFailure(f"{type(error).__name__}: {error}"))
        return
    pipe.send(Ready(engine.preferred_windows, engine.devices))
    desk = _Desk(engine, pipe)
    parent = multiprocessing.parent_process()
    watched: list[Any] = [pipe, parent.sentinel] if parent is not None else [pipe]
    pool = ThreadPoolExecutor(BATCHES_AT_ONCE)
    with contextlib.suppress(Exception):  # a pipe that breaks, or holds half a message: the end
        while pipe in connection.wait(watched):
            number, windows = pipe.recv()
            pool.submit(desk.work, number, windows)
    if desk.busy:  # nobody waits for the answer: do not let an orphan work on
        os._exit(1)
    pool.shutdown()


class _Desk:
    """Puts batches to the engine from several threads, and keeps its working time."""

    def __init__(self, engine: SpeechEngine, pipe: Connection) -> None:
        self._engine = engine
        self._pipe = pipe
        self._lock = threading.Lock()
        self._active = 0
        self._since = 0.0
        self._busy_s = 0.0

    @property
    def busy(self) -> bool:
        """Whether a batch is being worked on."""
        return self._active > 0

    def work(self, number: int, windows: tuple[Window, ...]) -> None:
        """Answer one batch."""
        with self._lock:
            if not self._active:
                self._since = time.monotonic()
            self._active += 1
        results = self._results(windows)
        with self._lock:
            now = time.monotonic()
            self._busy_s += now - self._since
            self._since = now
            self._active -= 1
            with contextlib.suppress(OSError):  # the parent is gone, and so are we in a moment
                self._pipe.send(Answer(number, results, self._busy_s))

    def _results(self, windows: tuple[Window, ...]) -> list[WindowResult] | WindowFailure:
        try:
            results: list[WindowResult] = list(self._engine.transcribe(windows))
        except Exception as error:  # a window that upsets the engine is found by halving
            return WindowFailure(f"{type(error).__name__}: {error}")
        if len(results) != len(windows):
            return WindowFailure(f"{len(results)} answers for {len(windows)} windows")
        return results
