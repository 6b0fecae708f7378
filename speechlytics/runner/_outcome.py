"""What became of one item, and the protocol that every runner follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, Literal, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

OutcomeKind = Literal["ok", "error", "crash", "timeout", "memory"]


@dataclass(frozen=True, slots=True)
class Outcome(Generic[Item, Result]):
    """One item and what its function gave.

    ``result`` is set when ``kind`` is ``ok``; otherwise ``error`` is the exception: the
    function's own (``error``), or one that says how its process ended. ``attempts`` counts
    the processes that tried.
    """

    item: Item
    kind: OutcomeKind
    result: Result | None = None
    error: BaseException | None = None
    attempts: int = 1


class Runner(Protocol):
    """Runs a function over items somewhere else."""

    def map(
        self, function: Callable[[Item], Result], items: Iterable[Item]
    ) -> Iterator[Outcome[Item, Result]]:
        """Yield one outcome per item, in the order in which they finish.

        Items are taken only as fast as outcomes are consumed, so memory stays flat.
        """
        ...
