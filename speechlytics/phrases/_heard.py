"""What was heard: tokens, and chunks of text as tokens; each distinct one is one object."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import or_


def mask_of(slots: Iterable[int]) -> int:
    """A bit for each slot."""
    return reduce(or_, (1 << slot for slot in slots), 0)


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """One word as the phrases see it; each distinct word is one object.

    Attributes:
        word: The word, normalised.
        slots: Slots that it fills.
        mask: Their bits (:func:`mask_of`).
        heads: Two letters with which the next word must start to make one word with this.
        notable: Whether any of the above is there; most words mean nothing to the phrases.
        joined: The word that it makes with the next one, if a recogniser split them.
    """

    word: str
    slots: frozenset[int]
    mask: int
    heads: frozenset[str]
    notable: bool
    joined: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class HeardChunk:
    """Tokens of one chunk of text and the punctuation around them.

    ``only`` is the token of a chunk that has just one; ``breaks`` is the punctuation before each
    token, empty if there is none. ``marked``: anything but one word without punctuation.
    """

    tokens: tuple[Token, ...]
    only: Token | None
    breaks: tuple[int, ...]
    break_after: int
    asks: bool
    marked: bool


class Chunks(dict[str, HeardChunk]):
    """Chunks that were met, the others being worked out when they are looked up."""

    __slots__ = ("_hear", "_most")

    def __init__(self, hear: Callable[[str], HeardChunk], most: int) -> None:
        self._hear, self._most = hear, most

    def __missing__(self, chunk: str) -> HeardChunk:
        if len(self) >= self._most:
            self.clear()
        heard = self[chunk] = self._hear(chunk)
        return heard
