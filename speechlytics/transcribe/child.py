"""The model's process itself: what runs in it, and the end of the pipe that the parent holds."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections.abc import Callable
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

_CLOSE_S = 10.0


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
        self.preferred_windows = 1

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.process.is_alive()

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until the engine is loaded; its own errors are raised here."""
        answer = self._receive(timeout_s)
        if isinstance(answer, SpeechlyticsError):
            raise answer
        if isinstance(answer, WindowFailure):
            raise TranscriptionError(f"speech model does not load: {answer.error}")
        self.preferred_windows = int(answer)

    def ask(
        self, windows: tuple[Window, ...], patience_s: float
    ) -> list[WindowResult] | WindowFailure:
        """Results, or why there are none; after a hang or a death the process is gone."""
        try:
            self._pipe.send(windows)
            answer: list[WindowResult] | WindowFailure = self._receive(patience_s)
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

    def _receive(self, timeout_s: float) -> Any:
        """What the process sends next.

        Raises:
            EOFError: it ended instead; says how.
            TranscriptionError: it said nothing in time and was killed.
        """
        # Its end of the pipe may have been inherited elsewhere: watch the process as well.
        ready = connection.wait([self._pipe, self.process.sentinel], timeout_s)
        if not ready:
            self.kill()
            raise TranscriptionError(f"the speech model gave no answer for {timeout_s:.0f} s")
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
    pipe.send(engine.preferred_windows)
    parent = multiprocessing.parent_process()
    watched: list[Any] = [pipe, parent.sentinel] if parent is not None else [pipe]
    while pipe in connection.wait(watched):
        try:
            windows = pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            return
        answer: list[WindowResult] | WindowFailure
        try:
            answer = list(engine.transcribe(windows))
            if len(answer) != len(windows):
                answer = WindowFailure(f"{len(answer)} answers for {len(windows)} windows")
        except Exception as error:  # a window that upsets the engine is found by halving
            answer = WindowFailure(f"{type(error).__name__}: {error}")
        pipe.send(answer)
