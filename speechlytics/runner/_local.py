"""Processes of this machine, by pebble: only the guilty item fails.

A worker that is killed, crashes in native code, exceeds its time or its memory takes one item
with it; the neighbours go on. ``ProcessPoolExecutor`` would break all of them.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, Self

from pebble import ProcessExpired, ProcessPool

from speechlytics.runner import _watch
from speechlytics.runner._outcome import Item, Outcome, Result


def available_cores() -> int:
    """Cores that this process may use, which a container may have cut down."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def limit_memory(memory_mb: int | None) -> None:
    """Cap the private memory of this process; an allocation beyond it raises MemoryError."""
    if memory_mb is None:
        return
    import resource

    limit = memory_mb * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


class LocalRunner:
    """A pool of worker processes.

    Args:
        workers: Processes; 0 takes one per available core.
        timeout_s: Longest time one item may take.
        memory_mb: Private memory that one worker may hold, ``None`` for no limit.
        attempts: Processes that may die or hang on an item before it is given up. An ordinary
            exception is an answer and is not tried again.
        ahead: Items under way beyond the number of workers.
    """

    def __init__(
        self,
        workers: int = 0,
        *,
        timeout_s: float | None = None,
        memory_mb: int | None = None,
        attempts: int = 2,
        ahead: int = 1,
    ) -> None:
        self._workers = workers or available_cores()
        self._timeout_s = timeout_s
        self._attempts = attempts
        self._ahead = ahead
        self._memory_mb = memory_mb
        self._watch = _watch.Watch(timeout_s)
        self._pool = self._new_pool()

    def _new_pool(self) -> ProcessPool:
        # spawn: a forked child would inherit the threads' locks of the speech model's parent
        return ProcessPool(
            max_workers=self._workers,
            context=multiprocessing.get_context("spawn"),
            initializer=limit_memory,
            initargs=(self._memory_mb,),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._pool.close()  # type: ignore[no-untyped-call] # pebble leaves it untyped
        else:
            self._pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it untyped
        self._pool.join()
        self._watch.close()

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield one outcome per item as they finish; at most ``workers + ahead`` are under way."""
        waiting = iter(items)
        again: deque[tuple[Item, int]] = deque()
        under_way: dict[Future[Result], _watch.Flight[Item]] = {}
        exhausted = False
        while True:
            while len(under_way) < self._workers + self._ahead:
                if again:
                    item, attempt = again.popleft()
                else:
                    try:
                        item, attempt = next(waiting), 1
                    except StopIteration:
                        exhausted = True
                        break
                flight = self._watch.begin(item, attempt)
                under_way[self._schedule(function, flight)] = flight
            if not under_way:
                if exhausted and not again:
                    return
                continue
            finished, _ = wait(under_way, timeout=_watch.CHECK_EVERY_S, return_when=FIRST_COMPLETED)
            ended = [(under_way.pop(future), future) for future in finished]
            for flight, _ in ended:
                self._watch.end(flight)
            outcomes = [self._outcome(future, flight) for flight, future in ended]
            outcomes += self._give_up_lost(under_way, again)
            for outcome in outcomes:
                if outcome.kind in ("crash", "timeout") and outcome.attempts < self._attempts:
                    again.append((outcome.item, outcome.attempts + 1))
                else:
                    yield outcome

    def _give_up_lost(
        self,
        under_way: dict[Future[Result], _watch.Flight[Item]],
        again: deque[tuple[Item, int]],
    ) -> list[Outcome[Item, Result]]:
        """Outcomes of what the pool lost; a new one goes on with their neighbours."""
        lost = self._watch.lost(under_way)
        if not lost:
            return []
        # what is done keeps its answer, which stopping the pool does not touch
        stopped = [future for future in under_way if not future.done()]
        self._renew_pool()
        for future in stopped:
            flight = under_way.pop(future)
            if future not in lost:
                again.append((flight.item, flight.attempt))
        return [_lost(flight) for flight in lost.values()]

    def _schedule(
        self, function: Callable[[Item], Result], flight: _watch.Flight[Item]
    ) -> Future[Result]:
        arguments = [flight.lock, function, flight.item]
        try:
            return self._pool.schedule(_watch.hold, args=arguments, timeout=self._timeout_s)
        except RuntimeError:
            # pebble gives a pool up when an idle worker is killed from outside
            self._renew_pool()
            return self._pool.schedule(_watch.hold, args=arguments, timeout=self._timeout_s)

    def _renew_pool(self) -> None:
        """Without the join the other workers of the former pool would stay."""
        self._pool.stop()  # type: ignore[no-untyped-call] # pebble leaves it untyped
        self._pool.join()
        self._pool = self._new_pool()

    def _outcome(
        self, future: Future[Result], flight: _watch.Flight[Item]
    ) -> Outcome[Item, Result]:
        error, item, attempt = future.exception(), flight.item, flight.attempt
        if error is None:
            return Outcome(item, "ok", result=future.result(), attempts=attempt)
        if isinstance(error, BrokenProcessPool):
            message = f"the pool of worker processes broke {_times(attempt)}"
            return Outcome(item, "crash", error=_caused(message, error), attempts=attempt)
        if isinstance(error, ProcessExpired):
            message = f"worker process died (exit code {error.exitcode}) {_times(attempt)}"
            return Outcome(item, "crash", error=_caused(message, error), attempts=attempt)
        if isinstance(error, TimeoutError):
            message = f"no result within {self._timeout_s:g} s {_times(attempt)}"
            return Outcome(item, "timeout", error=_caused(message, error), attempts=attempt)
        if isinstance(error, MemoryError):
            message = f"worker ran out of its memory limit ({error or 'no detail'})"
            return Outcome(item, "memory", error=_caused(message, error), attempts=attempt)
        return Outcome(item, "error", error=error, attempts=attempt)


def _lost(flight: _watch.Flight[Item]) -> Outcome[Item, Any]:
    message = f"worker process died while it took the item {_times(flight.attempt)}"
    return Outcome(flight.item, "crash", error=RuntimeError(message), attempts=flight.attempt)


def _times(attempt: int) -> str:
    return "at the first attempt" if attempt == 1 else f"{attempt} times in a row"


def _caused(message: str, cause: BaseException) -> RuntimeError:
    error = RuntimeError(message)
    error.__cause__ = cause
    return error
