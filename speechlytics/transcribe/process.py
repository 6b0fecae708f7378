"""The speech model in processes of its own, supervised: one, or one per GPU.

Native code that dies, hangs or is shot takes only its process down. It is started again, and
the batch that it was busy with is halved until the guilty window stands alone.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Self

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.batches import Submission
from speechlytics.transcribe.child import EngineFactory
from speechlytics.transcribe.engine import EngineSettings, SpeechEngine, WindowResult
from speechlytics.transcribe.supervisor import Supervisor
from speechlytics.transcribe.waiting import WindowQueue
from speechlytics.transcribe.windows import Window


def load_whisper(settings: EngineSettings) -> SpeechEngine:
    """The engine of this project; loads the speech libraries.

    Raises:
        TranscriptionError: the model does not load or hears nothing.
    """
    from speechlytics.transcribe.whisper import WhisperEngine

    return WhisperEngine(settings)


class ModelProcess:
    """One engine in one process per device, fed with windows of many calls.

    >>> with ModelProcess(engine_settings(config)) as model:  # doctest: +SKIP
    ...     futures = {call: model.submit(windows) for call, windows in prepared}

    Thread-safe. What waits is gathered across calls into batches that fill the engine, and the
    next batch is with the process before the last one is done. A script that uses it needs
    ``if __name__ == "__main__":`` (processes are spawned, never forked).
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
        self._queue = WindowQueue()
        self._supervisors = [Supervisor(settings, load_engine, self._queue)]
        self._threads: list[threading.Thread] = []
        self._limit = settings.config.queue_windows

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        return self._settings.model_id

    @property
    def pids(self) -> tuple[int, ...]:
        """Ids of the running model processes, by device."""
        children = [supervisor.child for supervisor in self._supervisors]
        return tuple(child.process.pid or 0 for child in children if child is not None)

    @property
    def pid(self) -> int | None:
        """Id of the first of them, ``None`` while there is none."""
        return self.pids[0] if self.pids else None

    @property
    def restarts(self) -> int:
        """How often a process was started again."""
        return sum(supervisor.restarts for supervisor in self._supervisors)

    @property
    def busy_s(self) -> float:
        """Wall time in which the engine worked, up to its last answer; several add up."""
        return sum(supervisor.busy_s for supervisor in self._supervisors)

    @property
    def waiting_windows(self) -> int:
        """Windows handed in that no process has got yet."""
        return self._queue.windows

    def start(self) -> None:
        """Start the processes and wait until the model has heard the reference clip.

        Raises:
            TranscriptionError: the model does not load, hears nothing, or takes too long.
        """
        first = self._supervisors[0].start()
        # Less than a batch waiting would leave the engine half empty.
        self._limit = max(self._limit, first.ready.preferred_windows * first.ready.devices)
        try:
            for index in range(1, first.ready.devices):
                settings = replace(self._settings, device_index=index)
                self._supervisors.append(Supervisor(settings, self._load_engine, self._queue))
                self._supervisors[-1].start()
        except BaseException:
            self._end()
            raise
        for supervisor in self._supervisors:
            thread = threading.Thread(target=supervisor.run, name="model", daemon=True)
            self._threads.append(thread)
            thread.start()

    def submit(self, windows: Sequence[Window]) -> Future[tuple[WindowResult, ...]]:
        """Hand in the windows of one call; blocks while too many wait already.

        The future gives one result per window, in order: a transcript, or why there is none.
        It fails with ``TranscriptionError`` only if the model cannot be kept alive at all.
        """
        submission = Submission(tuple(windows))
        if submission.windows:
            self._queue.put(submission, self._limit)
        else:
            submission.future.set_result(())
        return submission.future

    def transcribe(self, windows: Sequence[Window]) -> tuple[WindowResult, ...]:
        """Hand in the windows of one call and wait for the results."""
        return self.submit(windows).result()

    def close(self, *, cancel: bool = False) -> None:
        """Finish what was handed in (or drop it) and end the processes."""
        self._queue.close()
        if cancel:
            self._queue.abort(TranscriptionError("the model process was closed"))
            for supervisor in self._supervisors:
                child = supervisor.child
                if child is not None:
                    child.kill()
        for thread in self._threads:
            thread.join()
        self._end()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(cancel=kind is not None)

    def _end(self) -> None:
        for supervisor in self._supervisors:
            supervisor.end()
