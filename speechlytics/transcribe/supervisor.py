"""Keeps one model process alive and at work, and finds the windows that kill it."""

from __future__ import annotations

import time
from dataclasses import dataclass

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.batches import Batch, halves
from speechlytics.transcribe.child import BATCHES_AT_ONCE, Child, EngineFactory
from speechlytics.transcribe.engine import EngineSettings, WindowFailure
from speechlytics.transcribe.waiting import WindowQueue

_ATTEMPTS = 2  # of a lone window: the process may have been killed by somebody else
_STILLBORN = 3  # deaths before the model ever answered, after which it is hopeless


@dataclass(frozen=True, slots=True)
class _Flight:
    """A batch that is with the process."""

    batch: Batch
    attempt: int
    patience_s: float
    until: float


class Supervisor:
    """Feeds one process from the queue; ``run`` is the body of a thread.

    Two batches are with the process at once. When it dies over two, nobody knows over which:
    both go again, one at a time, and one that kills it alone is halved until the guilty window
    stands alone.
    """

    def __init__(
        self, settings: EngineSettings, load_engine: EngineFactory, queue: WindowQueue
    ) -> None:
        self._settings = settings
        self._load_engine = load_engine
        self._queue = queue
        self._flying: dict[int, _Flight] = {}
        self._again: list[tuple[Batch, int]] = []  # a stack
        self._sent = 0
        self._busy_s = 0.0
        self._busy_before_s = 0.0  # of the processes that died
        self.child: Child | None = None
        self.restarts = 0

    @property
    def busy_s(self) -> float:
        """Wall time in which the engine had something to do, as of its last answer."""
        return self._busy_before_s + self._busy_s

    def start(self) -> Child:
        """Start the process and wait until the engine is ready.

        Raises:
            TranscriptionError: it says why it cannot load, or it does not get so far.
        """
        self.child = self._new_child()
        return self.child

    def end(self) -> None:
        """End the process; for when ``run`` has returned."""
        self._forget_child()

    def run(self) -> None:
        """Feed the process until the queue is closed and empty."""
        try:
            while self._fill():
                self._listen()
        except Exception as error:  # the model cannot be kept alive: everybody must know
            for batch in [flight.batch for flight in self._flying.values()]:
                batch.fail(error)
            for batch, _ in self._again:
                batch.fail(error)
            self._queue.abort(error)

    def _fill(self) -> bool:
        """Keep enough batches with the process; ``False`` when there is nothing left to do."""
        while len(self._flying) < BATCHES_AT_ONCE:
            if self._flying and (self._again or not self._alive()):
                break  # suspects go alone; a death is heard of first
            if self._again:
                self._send(*self._again.pop())
                break
            preferred = self.child.ready.preferred_windows if self.child else 1
            batch = self._queue.take(preferred, idle=not self._flying)
            if batch is None:
                break
            self._send(batch, 1)
        return bool(self._flying)

    def _send(self, batch: Batch, attempt: int) -> None:
        if self.child is None or not self.child.alive:
            self.restarts += 1
            self._forget_child()
            self.child = self._new_child()
        config = self._settings.config
        audio_s = sum(window.duration_ms for window in batch.windows) / 1000
        patience_s = config.hang_timeout_s + config.slowest_rtf * audio_s
        # The engine shares its time among all that it has.
        patience_s += sum(flight.patience_s for flight in self._flying.values())
        self._sent += 1
        until = time.monotonic() + patience_s
        self._flying[self._sent] = _Flight(batch, attempt, patience_s, until)
        self.child.send(self._sent, batch.windows, patience_s)

    def _listen(self) -> None:
        """Wait for one answer, or for the end of the process."""
        assert self.child is not None
        first = min(self._flying.values(), key=lambda flight: flight.until)
        answer = self.child.receive(first.until, first.patience_s)
        if isinstance(answer, WindowFailure):
            self._mourn(answer)
            return
        self._busy_s = answer.busy_s
        flight = self._flying.pop(answer.number)
        if isinstance(answer.results, WindowFailure):
            self._blame(flight, answer.results)
        else:
            flight.batch.settle(answer.results)

    def _mourn(self, failure: WindowFailure) -> None:
        """The process is gone: who was alone with it is to blame."""
        self._forget_child()
        flights = list(self._flying.values())
        self._flying.clear()
        if len(flights) == 1:
            self._blame(flights[0], failure)
        else:
            self._again += [(flight.batch, flight.attempt) for flight in reversed(flights)]

    def _blame(self, flight: _Flight, failure: WindowFailure) -> None:
        if len(flight.batch) > 1:
            self._again += [(half, 1) for half in reversed(halves(flight.batch))]
        elif flight.attempt < _ATTEMPTS:
            self._again.append((flight.batch, flight.attempt + 1))
        else:
            flight.batch.settle([failure])

    def _alive(self) -> bool:
        return self.child is not None and self.child.alive

    def _forget_child(self) -> None:
        child, self.child = self.child, None
        if child is not None:
            child.end()
        self._busy_before_s += self._busy_s
        self._busy_s = 0.0

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
                        f"model process for {self._settings.model_id!r} died {attempt} times "
                        f"while loading ({error}); is there memory enough? run "
                        "`speechlytics models check`"
                    ) from error
            except BaseException:
                child.end()
                raise
            else:
                return child
        raise AssertionError("unreachable: the last attempt returns or raises")
