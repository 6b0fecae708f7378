"""Worker processes of a whole cluster, by Ray: only the guilty item fails, here too.

An actor holds one :class:`LocalRunner` of one process, so a record that kills its process costs
itself and nothing else (Ray alone would hang on it or take the actor down). An actor that dies,
or a machine that leaves, costs no item: what it had in hand goes to another actor, and a new one
is asked for. Outcomes come to the driver, which alone writes.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Self

from speechlytics.errors import ConfigError, RunnerError
from speechlytics.runner._local import LocalRunner
from speechlytics.runner._outcome import Item, Outcome, Result

log = logging.getLogger("speechlytics.runner")

LOST_ACTORS = 3  # that an item may outlive: machines leave, but an item may be what fells them
STILLBORN = 3  # actors in a row that die before they work, after which no more are asked for
WAIT_S = 1.0  # between looks at whether the cluster gives any worker at all


@dataclass(frozen=True, slots=True)
class ActorNeeds:
    """What an actor occupies: cores and GPUs (fractions allowed), as Ray counts them."""

    cpus: float = 1.0
    gpus: float = 0.0


@dataclass(frozen=True, slots=True)
class ClusterSize:
    """What a cluster has now: CPUs of each machine, and GPUs in all."""

    node_cpus: tuple[float, ...]
    gpus: float

    @property
    def cpus(self) -> float:
        """CPUs of all machines."""
        return sum(self.node_cpus)


def import_ray() -> Any:
    """Ray, silent and without statistics sent home.

    Raises:
        ConfigError: it is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # under `uv run` Ray would rebuild the environment in every worker
    os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
    try:
        import ray
    except ImportError as error:
        raise ConfigError(
            "runner = 'ray' needs Ray, which is not installed: pip install 'speechlytics[ray]'"
        ) from error
    return ray


@contextlib.contextmanager
def cluster(address: str | None = None) -> Iterator[ClusterSize]:
    """Join a cluster for as long as the context lasts; one joined before stays joined.

    Args:
        address: ``host:port`` or ``ray://…``; ``local`` starts one on this machine; ``None``
            follows ``RAY_ADDRESS``, else a cluster running here, else starts one here.

    Raises:
        ConfigError: Ray is not installed.
        RunnerError: the cluster cannot be reached.
    """
    ray = import_ray()
    joined = ray.is_initialized()
    if not joined:
        try:
            ray.init(address=address, logging_level=logging.WARNING, log_to_driver=False)
        except (ray.exceptions.RayError, ConnectionError, RuntimeError, ValueError) as error:
            raise RunnerError(
                f"Ray cluster {address or 'of this machine'!r} cannot be joined: {error}; "
                "check run.ray.address and that `ray status` answers there"
            ) from error
    try:
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        yield ClusterSize(
            tuple(float(resources.get("CPU", 0)) for resources in alive),
            sum(float(resources.get("GPU", 0)) for resources in alive),
        )
    finally:
        if not joined:
            ray.shutdown()


class Worker:
    """The actor: one process of its own in which items run."""

    def __init__(self, timeout_s: float | None, memory_mb: int | None, attempts: int) -> None:
        forget_main()
        self._runner = LocalRunner(
            1, timeout_s=timeout_s, memory_mb=memory_mb, attempts=attempts, ahead=0
        )

    def ready(self) -> int:
        """Answer with the process id of the actor."""
        return os.getpid()

    def work(self, function: Callable[[Item], Result], item: Item) -> Outcome[Item, Result]:
        """Run one item; whatever becomes of its process is an outcome."""
        (outcome,) = self._runner.map(function, [item])
        return outcome


def forget_main() -> None:
    """Keep spawned processes from running the main script of this actor's process again.

    Ray's workers start from a script of Ray's; what an actor runs is always importable, so a
    child needs none of it and starts seconds sooner.
    """
    main = sys.modules["__main__"]
    for name in ("__file__", "__spec__"):
        if hasattr(main, name):
            setattr(main, name, None)


@dataclass(slots=True)
class _Try:
    """An item under way, and how many actors were lost with it."""

    item: Any
    lost: int = 0


@dataclass(slots=True)
class _Crew:
    """Actors by state: ``starting`` and ``busy`` by the reference that ends the state."""

    starting: dict[Any, Any] = field(default_factory=dict)
    idle: deque[Any] = field(default_factory=deque)
    busy: dict[Any, tuple[Any, _Try]] = field(default_factory=dict)
    stillborn: int = 0
    last_death: str = ""

    @property
    def alive(self) -> int:
        return len(self.idle) + len(self.busy)


class RayRunner:
    """Actors on the cluster that :func:`cluster` joined; see :class:`LocalRunner`.

    Args:
        workers: Actors wanted. Fewer are fine; they come when the cluster has room.
        needs: What each occupies.
        timeout_s: Longest time one item may take.
        memory_mb: Private memory of the process in which an item runs.
        attempts: Processes that may die or hang on an item before it is given up.
        start_timeout_s: How long to wait while there is not a single worker.
    """

    def __init__(
        self,
        workers: int,
        *,
        needs: ActorNeeds | None = None,
        timeout_s: float | None = None,
        memory_mb: int | None = None,
        attempts: int = 2,
        start_timeout_s: float = 600.0,
    ) -> None:
        self._ray = import_ray()
        self.workers = workers
        self._needs = needs or ActorNeeds()
        self._arguments = (timeout_s, memory_mb, attempts)
        self._start_timeout_s = start_timeout_s
        # max_restarts stays 0: which actor has which item is known here, and only here
        self._actor = self._ray.remote(Worker).options(
            num_cpus=self._needs.cpus,
            num_gpus=self._needs.gpus,
            scheduling_strategy="SPREAD",
        )
        self._crew = _Crew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        crew, self._crew = self._crew, _Crew()
        for actor in (*crew.starting.values(), *crew.idle, *(a for a, _ in crew.busy.values())):
            self._ray.kill(actor)

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield one outcome per item as they finish; at most one item per actor is under way.

        Raises:
            RunnerError: the cluster gives no worker, or every worker dies at its start.
        """
        shared = self._ray.put(function)
        waiting = (_Try(item) for item in items)
        again: deque[_Try] = deque()
        crew, exhausted = self._crew, False
        lonely_since = time.monotonic()
        while True:
            self._fill()
            while crew.idle and not (exhausted and not again):
                attempt = again.popleft() if again else next(waiting, None)
                if attempt is None:
                    exhausted = True
                    break
                actor = crew.idle.popleft()
                crew.busy[actor.work.remote(shared, attempt.item)] = (actor, attempt)
            if exhausted and not again and not crew.busy:
                return
            if crew.alive:
                lonely_since = time.monotonic()
            self._insist(time.monotonic() - lonely_since)
            for ref in self._ended():
                if ref in crew.starting:
                    self._started(ref)
                    continue
                outcome = self._settled(ref)
                if isinstance(outcome, _Try):
                    again.append(outcome)
                else:
                    yield outcome

    def _fill(self) -> None:
        """Ask for the actors that are missing."""
        crew = self._crew
        while crew.alive + len(crew.starting) < self.workers and crew.stillborn < STILLBORN:
            actor = self._actor.remote(*self._arguments)
            crew.starting[actor.ready.remote()] = actor

    def _ended(self) -> list[Any]:
        crew = self._crew
        refs = [*crew.busy, *crew.starting]
        ended, _ = self._ray.wait(refs, num_returns=1, timeout=WAIT_S)
        return list(ended)

    def _started(self, ref: Any) -> None:
        crew = self._crew
        actor = crew.starting.pop(ref)
        try:
            self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            crew.stillborn += 1
            crew.last_death = _short(error)
            log.warning("a worker died at its start: %s", crew.last_death)
        else:
            crew.stillborn = 0
            crew.idle.append(actor)

    def _settled(self, ref: Any) -> Outcome[Any, Any] | _Try:
        """The outcome of an item; or the item again, when its actor was lost with it."""
        actor, attempt = self._crew.busy.pop(ref)
        try:
            outcome: Outcome[Any, Any] = self._ray.get(ref)
        except self._ray.exceptions.RayTaskError as error:
            # the item or its result cannot travel: an answer, and the actor is well
            self._crew.idle.append(actor)
            return Outcome(attempt.item, "error", error=RuntimeError(_short(error)))
        except self._ray.exceptions.RayError as error:
            log.warning("a worker was lost: %s", _short(error))
            self._ray.kill(actor)
            attempt.lost += 1
            if attempt.lost < LOST_ACTORS:
                return attempt
            message = f"worker lost {attempt.lost} times in a row ({_short(error)})"
            return Outcome(
                attempt.item, "crash", error=RuntimeError(message), attempts=attempt.lost
            )
        else:
            self._crew.idle.append(actor)
            return replace(outcome, item=attempt.item, attempts=outcome.attempts + attempt.lost)

    def _insist(self, lonely_s: float) -> None:
        """Give up when there is nobody to work and nobody will come."""
        crew = self._crew
        if not crew.alive and not crew.starting:
            raise RunnerError(
                f"{crew.stillborn} workers in a row died at their start ({crew.last_death}); "
                "is speechlytics installed on every machine of the cluster?"
            )
        if lonely_s > self._start_timeout_s:
            raise RunnerError(
                f"the cluster gave no worker for {lonely_s:.0f} s; each needs "
                f"{self._needs.cpus:g} CPUs and {self._needs.gpus:g} GPUs: see `ray status`"
            )


def _short(error: BaseException) -> str:
    """The first line of Ray's long messages."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no detail'}"
