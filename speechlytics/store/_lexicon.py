"""The forms in chunks of text: worked out once a process, and kept as numbers for numpy.

A form is a word as it was said, and a stem of it; a word of two stems has two forms.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from speechlytics.phrases import word_stems

WORD_MARK = "*"
MAX_CHUNKS = 400_000
"""Chunks that are remembered; a language's spoken words, with and without a comma, are fewer."""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Forms:
    """All forms that are known, and which of them each chunk holds.

    Attributes:
        starts: Of each chunk by number, where its forms begin in ``members``; and one end more.
        members: Forms by number.
        stem_of: Stem of each form by number.
        words: Key of the word of each form.
        stems: Stems by number.
    """

    starts: Ints
    members: Ints
    stem_of: Ints
    words: list[str]
    stems: list[str]


class Lexicon:
    """Remembers the forms of each chunk of each language."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._forget()

    def read(self, chunks: Sequence[tuple[str | None, list[str]]]) -> tuple[list[Ints], Forms]:
        """Numbers of chunks, which are given by language, and the forms these hold."""
        with self._lock:
            if len(self._starts) > MAX_CHUNKS:
                self._forget()
            numbers = [self._numbers(language, texts) for language, texts in chunks]
            return numbers, Forms(
                np.array(self._starts, np.int64),
                np.array(self._members, np.int64),
                np.array(self._stem_of, np.int64),
                self._words,
                self._stem_texts,
            )

    def _forget(self) -> None:
        self._chunks: dict[str | None, dict[str, int]] = {}
        self._starts, self._members, self._stem_of = array("q", [0]), array("q"), array("q")
        self._forms: dict[tuple[str, str], int] = {}
        self._stems: dict[str, int] = {}
        # readers share them: they only grow, or make way for new ones
        self._words: list[str] = []
        self._stem_texts: list[str] = []

    def _numbers(self, language: str | None, texts: list[str]) -> Ints:
        known = self._chunks.setdefault(language, {})
        numbers = list(map(known.get, texts))
        if None in numbers:
            known |= {text: self._learn(text, language) for text in set(texts) - known.keys()}
            return np.array([known[text] for text in texts], np.int64)
        return np.array(numbers, np.int64)

    def _learn(self, chunk: str, language: str | None) -> int:
        for word, stems in word_stems(chunk, language):
            for stem in sorted(stems):
                self._members.append(self._form(word, stem))
        self._starts.append(len(self._members))
        return len(self._starts) - 2

    def _form(self, word: str, stem: str) -> int:
        number = self._forms.setdefault((word, stem), len(self._forms))
        if number == len(self._words):
            self._words.append(WORD_MARK + word)
            self._stem_of.append(self._stems.setdefault(stem, len(self._stems)))
            if len(self._stems) > len(self._stem_texts):
                self._stem_texts.append(stem)
        return number
