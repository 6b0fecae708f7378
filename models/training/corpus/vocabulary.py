"""Open-vocabulary text: everyday words in random order, numbers, and sentences with words replaced.

A small model that hears only written sentences learns them by heart; words in an order that no
grammar predicts make it listen. Russian and Ukrainian lemmas are inflected, and random dictionary
words added, with pymorphy3's dictionaries; English and Hungarian lists hold word forms.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import lru_cache
from importlib.resources import files

from models.training.corpus.composer import Composer, tidy
from models.training.corpus.numbers import NumberWords

_INFLECTED = ("ru", "uk")
_DICTIONARY_PREFIXES = 260
_WORDS_PER_PREFIX = 60
_LETTERS = {"ru": "[а-яё]{3,11}", "uk": "[абвгґдеєжзиіїйклмнопрстуфхцчшщьюя']{3,11}"}
_SYLLABLE = {"ru": ("бвгдзклмнпрстфхш", "аеиоуяё"), "uk": ("бвгдзклмнпрстфхш", "аеиоуяі")}
_RARE_TAGS = (
    "Name",
    "Geox",
    "Surn",
    "Patr",
    "Abbr",
    "Orgn",
    "Trad",
    "Init",
    "Arch",
    "Erro",
    "Prnt",
)
_FORMS_LEFT_OUT = {"PRTF", "PRTS", "GRND"}


@lru_cache(maxsize=8)
def word_lists(language: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Returns (function words, content words) of a language; content words are inflected forms."""
    text = (files("models.training.corpus") / f"{language}_words.txt").read_text(encoding="utf-8")
    sections: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line.startswith("["):
            current = sections.setdefault(line.strip("[]"), [])
        elif not line.startswith("#"):
            current.extend(line.split())
    function = tuple(dict.fromkeys(sections["function"]))
    if language in _INFLECTED:
        return function, tuple(dict.fromkeys(_inflected(language, sections["lemmas"])))
    return function, tuple(dict.fromkeys(sections["words"]))


def _inflected(language: str, lemmas: Sequence[str]) -> list[str]:
    import pymorphy3

    analyzer = pymorphy3.MorphAnalyzer(lang=language)
    allowed = re.compile(_LETTERS[language])
    forms = [
        form.word
        for lemma in lemmas
        for form in analyzer.parse(lemma)[0].lexeme
        if form.tag.POS not in _FORMS_LEFT_OUT and allowed.fullmatch(form.word)
    ]
    # A fixed source: the vocabulary must not change with the seed of a corpus.
    return forms + _dictionary_sample(analyzer, language, random.Random(language))


def _dictionary_sample(analyzer: object, language: str, rng: random.Random) -> list[str]:
    allowed = re.compile(_LETTERS[language])
    consonants, vowels = _SYLLABLE[language]
    sample: list[str] = []
    for _ in range(_DICTIONARY_PREFIXES):
        first, second = rng.choice(consonants), rng.choice(vowels)
        prefix = rng.choice((first + second + rng.choice(consonants), second + first))
        known = [
            word
            for word, tag, _, _, _ in analyzer.dictionary.iter_known_words(prefix)  # type: ignore[attr-defined]  # pymorphy3 has no types
            if allowed.fullmatch(word)
            and not any(mark in str(tag) for mark in _RARE_TAGS)
            and tag.POS not in _FORMS_LEFT_OUT
        ]
        sample += rng.sample(known, min(_WORDS_PER_PREFIX, len(known)))
    return sample


class OpenVocabulary:
    """Draws open-vocabulary sentences of one language."""

    def __init__(
        self,
        language: str,
        composer: Composer,
        numbers: NumberWords,
        names: Sequence[str],
        rng: random.Random,
    ) -> None:
        self._composer = composer
        self._numbers = numbers
        self._rng = rng
        self._function, self._content = word_lists(language)
        self._names = names
        self._domain = tuple(
            word
            for _ in range(400)
            for word in re.findall(
                r"[\w'-]+", (composer.template() + " " + composer.turn()).lower()
            )
        )

    def sentence(self) -> str:
        """One sentence: random words, words around numbers, or text with words replaced."""
        kind = self._rng.random()
        if kind < 0.45:
            return self._phrase(self._rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8)))
        if kind < 0.6:
            return self._with_number()
        if kind < 0.8:
            return self._replaced(self._composer.turn(), 0.35)
        return self._replaced(self._composer.template(), 0.4)

    def _word(self) -> str:
        rng = self._rng
        kind = rng.random()
        if kind < 0.22:
            return rng.choice(self._function)
        if kind < 0.42:
            return rng.choice(self._domain)
        if kind < 0.46:
            return rng.choice(self._names)
        if kind < 0.51:
            return self._numbers.cardinal(rng.randint(0, 99))
        return rng.choice(self._content)

    def _phrase(self, count: int) -> str:
        words = [self._word() for _ in range(count)]
        if count > 3 and self._rng.random() < 0.35:
            words[self._rng.randint(0, count - 2)] += ","
        return tidy(" ".join(words) + ("." if self._rng.random() < 0.8 else "?"))

    def _with_number(self) -> str:
        rng, numbers = self._rng, self._numbers
        kind = rng.random()
        if kind < 0.35:
            middle = " ".join(numbers.cardinal(rng.randint(0, 9)) for _ in range(rng.randint(2, 8)))
        elif kind < 0.6:
            middle = numbers.money(rng.choice((rng.randint(1, 99), rng.randint(100, 9999))))
        elif kind < 0.8:
            middle = " ".join(
                numbers.cardinal(rng.randint(10, 99)) for _ in range(rng.randint(2, 4))
            )
        else:
            middle = numbers.cardinal(rng.choice((rng.randint(0, 999), rng.randint(1000, 9999))))
        before = [self._word() for _ in range(rng.choice((0, 1, 1, 2)))]
        after = [self._word() for _ in range(rng.choice((0, 0, 1)))]
        return tidy(" ".join([*before, middle, *after]) + ".")

    def _replaced(self, sentence: str, share: float) -> str:
        parts = re.split(r"([\w'-]+)", sentence)
        replaced = (
            self._word() if index % 2 and self._rng.random() < share else part
            for index, part in enumerate(parts)
        )
        return tidy("".join(replaced))
