"""Training sentences: an open vocabulary first, the written corpus and its variations second.

A small model that only hears templates learns the templates by heart. Half of the sentences
therefore hold words drawn from frequency lists (`wordfreq`), numbers spelled out (`num2words`),
or corpus sentences with some words replaced. What is held back for evaluation never comes out of
here.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_LETTERS = {
    "ru": "а-яё",
    "en": "a-z'",
    "uk": "а-щьюяєіїґ'",
    "hu": "a-záéíóöőúüű",
}
_UNITS: dict[str, tuple[str, ...]] = {
    "ru": ("рублей", "рубля", "копеек", "гигабайт", "минут", "часов", "дней", "процентов", "лет"),
    "en": ("pounds", "dollars", "cents", "gigabytes", "minutes", "hours", "days", "percent"),
    "uk": ("гривень", "гривні", "копійок", "гігабайт", "хвилин", "годин", "днів", "відсотків"),
    "hu": ("forint", "gigabájt", "perc", "óra", "nap", "százalék", "hónap", "euró"),
}
_LABELS: dict[str, tuple[str, ...]] = {
    "ru": ("номер", "договор", "заявка", "код", "дом", "квартира", "сумма", "тариф", "паспорт"),
    "en": ("number", "contract", "ticket", "code", "flat", "house", "amount", "plan", "account"),
    "uk": ("номер", "договір", "заявка", "код", "будинок", "квартира", "сума", "тариф"),
    "hu": ("szám", "szerződés", "kód", "ház", "lakás", "összeg", "tarifa", "ügyfélszám"),
}
_WORD_BANDS = ((120, 0.27), (1500, 0.25), (8000, 0.26), (40000, 0.22))
_MAX_WORD_LETTERS = 15
_MAX_WORDS = 13
_NEVER_SPOKEN_TURN = "ivr"


@dataclass(frozen=True, slots=True)
class Sources:
    """What the generator may draw on for one language, and what it must never produce."""

    sentences: tuple[str, ...]
    templates: tuple[str, ...]
    open: tuple[str, ...]
    held_back: frozenset[str]


def normalised(text: str) -> str:
    """Lower case, `ё` as `е`, punctuation dropped: the form in which sentences are compared."""
    return " ".join(re.sub(r"[^\w']+", " ", text.lower().replace("ё", "е")).split())


def dialogue_turns(path: Path, language: str) -> tuple[list[str], list[str]]:
    """Splits the labelled dialogues of one language into (training turns, held-back turns).

    Every second call is held back; a turn that also occurs in a training call is not.
    """
    calls = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    own = [call for call in calls if call["language"] == language]
    train = [turn for call in own[0::2] for turn in _turns(call, language)]
    seen = {normalised(turn) for turn in train}
    held = [t for call in own[1::2] for t in _turns(call, language) if normalised(t) not in seen]
    return train, list(dict.fromkeys(held))


def _turns(call: dict[str, object], language: str) -> Iterator[str]:
    turns = call["turns"]
    assert isinstance(turns, list)
    for turn in turns:
        if turn["text"] and turn["speaker"] != _NEVER_SPOKEN_TURN:
            text = plain(turn["text"])
            if is_speakable(text, language):
                yield text


def plain(text: str) -> str:
    """Typography that a listener cannot hear, reduced to commas, full stops and question marks."""
    text = re.sub(r"\.\.\.|…", ",", text).replace("’", "'")
    text = re.sub(r"\s[—–-]\s", ", ", text)
    text = re.sub(r"[«»\"“”„()]", "", text).replace("—", "-").replace("–", "-")
    text = re.sub(r"[;:]", ",", text).replace("!", ".")
    text = re.sub(r",(\s*[,.?])+", r"\1", text)
    text = re.sub(r"([.?])[.?]+", r"\1", re.sub(r"\s+", " ", text))
    return re.sub(r"\s+([,.?])", r"\1", text).strip(" ,")


def is_speakable(text: str, language: str) -> bool:
    """True when `text` holds nothing but the language's letters and plain punctuation."""
    return re.fullmatch(rf"[{_LETTERS[language]} ,.?'-]+", text.lower()) is not None


def words_by_frequency(language: str) -> list[str]:
    """Words of a language, most frequent first, without rare single letters and foreign script."""
    import wordfreq  # here, as tests and benchmarks read dialogues without the extra `train`

    pattern = re.compile(rf"[{_LETTERS[language]}]{{1,{_MAX_WORD_LETTERS}}}")
    listed = wordfreq.top_n_list(language, _WORD_BANDS[-1][0])
    return [
        word
        for rank, word in enumerate(listed)
        if pattern.fullmatch(word) and (len(word) > 2 or rank < 300) and not word.startswith("'")
    ]


class SentenceGenerator:
    """Draws training sentences of one language; the same seed gives the same sentences."""

    def __init__(self, language: str, sources: Sources, seed: int) -> None:
        self._language = language
        self._sources = sources
        self._rng = random.Random(f"{language}-{seed}")
        self._words = words_by_frequency(language)
        pool = [*sources.sentences, *sources.templates]
        self._clauses = [c for s in pool for c in clauses(s)]
        self._domain = [w for s in pool for w in normalised(s).split()]

    def take(self, count: int) -> list[str]:
        """Returns `count` sentences; duplicates are possible, held-back sentences are not."""
        taken: list[str] = []
        while len(taken) < count:
            sentence = self._cut(plain(self._draw()).strip(" ,-"))
            if len(sentence) > 2 and normalised(sentence) not in self._sources.held_back:
                taken.append(capitalised(sentence))
        return taken

    def _draw(self) -> str:
        rng, sources = self._rng, self._sources
        if not sources.sentences:
            return self._with_numbers() if rng.random() < 0.2 else self._random_words()
        kind = rng.random()
        if kind < 0.09:
            return self._random_words()
        if kind < 0.15:
            return rng.choice(sources.open or sources.sentences)
        if kind < 0.24:
            return self._with_numbers()
        if kind < 0.50:
            return rng.choice(sources.sentences)
        if kind < 0.61:
            return self._replaced(rng.choice(sources.sentences), rng.choice((0.15, 0.3)))
        if kind < 0.72:
            chosen = [rng.choice(self._clauses) for _ in range(rng.choice((1, 2, 2, 3)))]
            joined = ", ".join(chosen) + rng.choice(("", ".", ".", "?"))
            return self._replaced(joined, 0.2) if rng.random() < 0.3 else joined
        pool = sources.templates or sources.sentences
        return self._replaced(rng.choice(pool), rng.choice((0, 0, 0.15, 0.3)))

    def _word(self) -> str:
        rng = self._rng
        if self._domain and rng.random() < 0.3:
            return rng.choice(self._domain)
        mark = rng.random()
        for size, share in _WORD_BANDS:
            mark -= share
            if mark < 0:
                return rng.choice(self._words[:size])
        return rng.choice(self._words)

    def _random_words(self) -> str:
        count = self._rng.choice((1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 7, 8))
        return self._punctuated([self._word() for _ in range(count)])

    def _with_numbers(self) -> str:
        rng, language = self._rng, self._language
        kind = rng.random()
        if kind < 0.35:
            middle = [self._number(rng.randint(0, 9)) for _ in range(rng.randint(2, 8))]
        elif kind < 0.6:
            size = rng.choice((99, 999, 9999))
            middle = [self._number(rng.randint(1, size)), rng.choice(_UNITS[language])]
        elif kind < 0.8:
            middle = [self._number(rng.randint(10, 99)) for _ in range(rng.randint(2, 4))]
        else:
            middle = [rng.choice(_LABELS[language]), self._number(rng.randint(0, 999))]
        before = [self._word() for _ in range(rng.choice((0, 0, 1, 2)))]
        after = [self._word() for _ in range(rng.choice((0, 0, 1)))]
        return self._punctuated([*before, *middle, *after])

    def _number(self, value: int) -> str:
        import num2words  # as above

        spelled = str(num2words.num2words(value, lang=self._language))
        if self._language == "en":
            spelled = spelled.replace(" and ", " ").replace("-", " ").replace(",", "")
        return spelled

    def _punctuated(self, words: list[str]) -> str:
        rng = self._rng
        if len(words) > 3 and rng.random() < 0.35:
            at = rng.randint(0, len(words) - 2)
            words = [*words[:at], words[at] + ",", *words[at + 1 :]]
        return " ".join(words) + ("." if rng.random() < 0.8 else "?")

    def _replaced(self, sentence: str, share: float) -> str:
        parts = re.split(r"([\w'-]+)", sentence)
        return "".join(
            self._word() if index % 2 and self._rng.random() < share else part
            for index, part in enumerate(parts)
        )

    def _cut(self, sentence: str) -> str:
        words = sentence.split()
        if len(words) <= _MAX_WORDS:
            return sentence
        begin = self._rng.randint(0, len(words) - _MAX_WORDS)
        return " ".join(words[begin : begin + _MAX_WORDS]).rstrip(",")


def capitalised(sentence: str) -> str:
    """Upper-cases first letters after sentence ends; a lone English "i" becomes "I"."""
    sentence = re.sub(r"(^|[.?] )(\w)", lambda m: m.group(1) + m.group(2).upper(), sentence)
    return re.sub(r"\bi(?=$|[ ,.?'])", "I", sentence)


def clauses(sentence: str) -> list[str]:
    """The stretches between punctuation marks, lower-cased at the front."""
    found = (part.strip() for part in re.split(r"[,.?]", sentence))
    return [part[0].lower() + part[1:] for part in found if part]


def sentences_of(turns: Iterable[str]) -> list[str]:
    """Splits turns at full stops and question marks, keeping the marks."""
    found: list[str] = []
    for turn in turns:
        found += [part.strip() for part in re.findall(r"[^.?]+[.?]*", turn) if part.strip()]
    return found
