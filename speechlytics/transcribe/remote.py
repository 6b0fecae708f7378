"""The speech model on many machines: actors with a supervised model process each.

Windows of a call go to the actor that has least to do; there they are batched with those of
other calls. A window that kills the engine is found inside the actor (see ``ModelProcess``); an
actor that dies, or whose machine leaves, loses nothing: its calls go to the others.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import queue
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Self

from speechlytics.config import replace
from speechlytics.errors import SpeechlyticsError, TranscriptionError
from speechlytics.transcribe.child import EngineFactory
from speechlytics.transcribe.engine import EngineSettings, WindowResult, engine_settings
from speechlytics.transcribe.process import ModelProcess, load_whisper
from speechlytics.transcribe.windows import Window

log = logging.getLogger("speechlytics.transcribe")

LOST_ACTORS = 3  # that a call may outlive before it is given up
STILLBORN = 3  # actors in a row that never loaded the model, after which it is hopeless
CALLS_PER_ACTOR = 64  # handed over at once: enough to fill batches, few to do again after a loss

QUEUE_PER_ACTOR = 64  # windows, at the least: their features wait in the driver's memory
WAIT_S = 1.0  # between looks at whether any actor is there


class ModelActor:
    """The actor: a model process, and threads that wait for it."""

    def __init__(self, settings: EngineSettings, load_engine: EngineFactory) -> None:
        self._settings = settings
        self._load_engine = load_engine
        self._model: ModelProcess | None = None

    def load(self) -> str | int:
        """Load the model: the process id, or (as text) why that is impossible."""
        try:
            self._model = ModelProcess(_found_here(self._settings), load_engine=self._load_engine)
            self._model.start()
        except SpeechlyticsError as error:
            return str(error)
        return os.getpid()

    def transcribe(
        self, windows: tuple[Window, ...]
    ) -> tuple[tuple[WindowResult, ...], float] | str:
        """Results of one call's windows and the engine's working time so far, in seconds.

        Text instead says why the model cannot be kept alive.
        """
        assert self._model is not None
        try:
            return self._model.transcribe(windows), self._model.busy_s
        except TranscriptionError as error:
            return str(error)

    def pids(self) -> tuple[int, int | None]:
        """Process ids of the actor and of its model process."""
        return os.getpid(), None if self._model is None else self._model.pid


def _found_here(settings: EngineSettings) -> EngineSettings:
    """The same model where this machine has it.

    Raises:
        TranscriptionError: this machine has another one under that name, or none.
    """
    if settings.folder.is_dir():
        return settings
    here = engine_settings(settings.config)
    if here.model_id != settings.model_id:
        raise TranscriptionError(
            f"model {settings.config.model!r} is {here.model_id!r} on this machine but "
            f"{settings.model_id!r} where the run began; install the same everywhere"
        )
    return here


@dataclass(slots=True, eq=False)
class _Call:
    """The windows of a call, whoever has them now."""

    windows: tuple[Window, ...]
    future: Future[tuple[WindowResult, ...]] = field(default_factory=Future)
    lost: int = 0


@dataclass(slots=True, eq=False)
class _Member:
    """An actor and the calls it has in hand."""

    actor: Any
    ready: bool = False
    busy_s: float = 0.0
    calls: list[_Call] = field(default_factory=list)

    @property
    def windows(self) -> int:
        return sum(len(call.windows) for call in self.calls)


_Event = tuple[_Member, _Call | None, Future[Any]]


class RayModel:
    """A speech model spread over a cluster; used like ``ModelProcess``. Thread-safe.

    Args:
        settings: Model and options.
        actors: How many; fewer are fine as long as there is one.
        cpus: What each occupies, and its threads unless ``cpu_threads`` says otherwise.
        gpus: The same for GPUs (fractions allowed).
        load_engine: Module-level function that loads the engine in an actor's model process.
    """

    def __init__(
        self,
        settings: EngineSettings,
        *,
        actors: int,
        cpus: float = 1.0,
        gpus: float = 0.0,
        load_engine: EngineFactory = load_whisper,
    ) -> None:
        import ray

        self._ray = ray
        threads = settings.config.cpu_threads or max(1, int(cpus))
        config = replace(settings.config, cpu_threads=threads)
        self._settings = dataclasses.replace(settings, config=config)
        self._load_engine = load_engine
        self._wanted = actors
        self._actor = ray.remote(ModelActor).options(
            num_cpus=cpus,
            num_gpus=gpus,
            scheduling_strategy="SPREAD",
            max_concurrency=CALLS_PER_ACTOR,
        )
        self._changed = threading.Condition()
        self._members: list[_Member] = []
        self._waiting: list[_Call] = []
        self._events: queue.SimpleQueue[_Event | None] = queue.SimpleQueue()
        self._closing = False
        self._stillborn = 0
        self._fatal: TranscriptionError | None = None
        self._keeper = threading.Thread(target=self._keep, name="models", daemon=True)
        self._gone_busy_s = 0.0
        self.restarts = 0

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        return self._settings.model_id

    @property
    def busy_s(self) -> float:
        """Wall time in which the engines worked; those of all machines add up."""
        return self._gone_busy_s + sum(member.busy_s for member in self._members)

    def pids(self) -> list[tuple[int, int | None]]:
        """Process ids of the actors that are ready, each with that of its model process."""
        with self._changed:
            actors = [member.actor for member in self._members if member.ready]
        return [tuple(pair) for pair in self._ray.get([actor.pids.remote() for actor in actors])]

    def start(self) -> None:
        """Ask for the actors and wait until the first has loaded the model.

        Raises:
            TranscriptionError: none of them can, or the cluster has no room for one.
        """
        with self._changed:
            self._fill()
            self._keeper.start()
            timeout_s = self._settings.config.load_timeout_s
            ready = self._changed.wait_for(
                lambda: self._fatal is not None or any(m.ready for m in self._members), timeout_s
            )
        if not ready:
            self.close(cancel=True)
            raise TranscriptionError(
                f"no machine of the cluster loaded model {self.model_id!r} within {timeout_s} s; "
                "see `ray status` (run.ray.model_cpus, model_gpus; transcribe.load_timeout_s)"
            )
        if self._fatal is not None:
            self.close(cancel=True)
            raise self._fatal

    def submit(self, windows: Sequence[Window]) -> Future[tuple[WindowResult, ...]]:
        """Hand in the windows of one call; blocks while too many wait already.

        The future gives one result per window, in order. It fails with ``TranscriptionError``
        when no actor can be kept alive, or when every actor that had this call was lost.
        """
        call = _Call(tuple(windows))
        if not call.windows:
            call.future.set_result(())
            return call.future
        limit = max(self._settings.config.queue_windows, QUEUE_PER_ACTOR * self._wanted)
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._closing
                    or self._fatal is not None
                    or not self._held
                    or self._held + len(call.windows) <= limit
                )
            )
            if self._fatal is not None:
                raise TranscriptionError(str(self._fatal)) from self._fatal
            if self._closing:
                raise TranscriptionError("the speech model is closed; submit before leaving it")
            self._waiting.append(call)
            self._deal()
        return call.future

    def close(self, *, cancel: bool = False) -> None:
        """Finish what was handed in (or drop it) and release the actors."""
        with self._changed:
            if cancel:
                self._fatal = self._fatal or TranscriptionError("the speech model was closed")
                self._give_up()
            self._closing = True
            self._changed.wait_for(lambda: not self._held)
            members, self._members = self._members, []
            self._gone_busy_s += sum(member.busy_s for member in members)
        self._events.put(None)
        if self._keeper.ident is not None:
            self._keeper.join()
        for member in members:
            self._ray.kill(member.actor)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.close(cancel=kind is not None)

    @property
    def _held(self) -> int:
        """Windows handed in and not answered."""
        waiting = sum(len(call.windows) for call in self._waiting)
        return waiting + sum(member.windows for member in self._members)

    def _fill(self) -> None:
        """Ask for the actors that are missing."""
        while len(self._members) < self._wanted:
            member = _Member(self._actor.remote(self._settings, self._load_engine))
            self._members.append(member)
            self._ask(member, None, member.actor.load.remote())

    def _ask(self, member: _Member, call: _Call | None, ref: Any) -> None:
        """Have the keeper hear of the answer; Ray's own thread only passes it on."""
        events = self._events
        ref.future().add_done_callback(lambda answer: events.put((member, call, answer)))

    def _deal(self) -> None:
        """Hand waiting calls to the actors that have least to do."""
        while self._waiting:
            free = [m for m in self._members if m.ready and len(m.calls) < CALLS_PER_ACTOR]
            if not free:
                return
            member, call = min(free, key=lambda m: m.windows), self._waiting.pop(0)
            member.calls.append(call)
            self._ask(member, call, member.actor.transcribe.remote(call.windows))

    def _keep(self) -> None:
        """Hear answers and losses until closed; runs in a thread of its own."""
        manned_at = time.monotonic()
        while True:
            try:
                event = self._events.get(timeout=WAIT_S)
                if event is None:
                    return
            except queue.Empty:
                event = None
            with self._changed:
                if event is not None:
                    self._hear(*event)
                if any(member.ready for member in self._members) or not self._held:
                    manned_at = time.monotonic()
                self._insist(time.monotonic() - manned_at)
                if self._fatal is not None:
                    self._give_up()
                self._deal()
                self._changed.notify_all()

    def _hear(self, member: _Member, call: _Call | None, answer: Future[Any]) -> None:
        error = answer.exception()
        if error is not None:
            self._lost(member, error)
        elif call is None:
            self._loaded(member, answer.result())
        elif call in member.calls:
            member.calls.remove(call)
            self._answered(call, member, answer.result())

    def _insist(self, unmanned_s: float) -> None:
        """Give up when calls wait and the cluster has had no room for any model for long."""
        if unmanned_s > self._settings.config.load_timeout_s:
            self._fatal = self._fatal or TranscriptionError(
                f"no machine of the cluster has loaded model {self.model_id!r} for "
                f"{unmanned_s:.0f} s; see `ray status`"
            )

    def _loaded(self, member: _Member, answer: str | int) -> None:
        if isinstance(answer, str):
            self._stillborn += 1
            log.warning("a machine cannot load the speech model: %s", answer)
            self._retire(member, answer)
        else:
            self._stillborn = 0
            member.ready = True

    def _answered(self, call: _Call, member: _Member, answer: Any) -> None:
        if isinstance(answer, str):  # this actor can no longer keep a model process alive
            self._again([call], answer)
            self._retire(member, answer)
        else:
            results, member.busy_s = answer
            call.future.set_result(tuple(results))

    def _lost(self, member: _Member, error: BaseException) -> None:
        if member not in self._members:
            return  # heard of before: each call in hand tells of the death
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        log.warning("a speech model was lost: %s", reason)
        if not member.ready:
            self._stillborn += 1
        self._retire(member, reason)

    def _retire(self, member: _Member, reason: str) -> None:
        """Do without an actor: its calls go to others, another takes its place."""
        if member not in self._members:
            return
        self._members.remove(member)
        self._gone_busy_s += member.busy_s
        self._ray.kill(member.actor)
        self._again(member.calls, reason)
        member.calls = []
        if self._closing and not self._held:
            return
        if self._stillborn < STILLBORN:
            self.restarts += 1
            self._fill()
        elif not self._members:
            self._fatal = TranscriptionError(
                f"no machine of the cluster can load model {self.model_id!r}: {reason}"
            )

    def _again(self, calls: Sequence[_Call], reason: str) -> None:
        for call in calls:
            call.lost += 1
            if call.lost < LOST_ACTORS:
                self._waiting.append(call)
            else:
                call.future.set_exception(
                    TranscriptionError(f"speech model lost {call.lost} times in a row ({reason})")
                )

    def _give_up(self) -> None:
        """Tell everybody who still waits."""
        calls = [*self._waiting, *(call for m in self._members for call in m.calls)]
        self._waiting = []
        for member in self._members:
            member.calls = []
        for call in calls:
            call.future.set_exception(TranscriptionError(str(self._fatal)))
