"""The vocabulary index: each word of speech is compared with all phrases once, then remembered.

A call of 800 words then costs 800 dictionary look-ups; phrases are verified only where their
rarest word was heard. Fuzz is for garbles: a word that a dictionary knows is another word, not
a misheard one («отключить» is no «подключить»), and the first letters must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from speechlytics.phrases._grammar import Slot
from speechlytics.phrases._keys import DICTIONARIES, is_known, word_keys
from speechlytics.phrases._text import NO_BREAK, analyse_chunk, numeral_words
from speechlytics.records import MatchKind

MIN_FUZZY_LENGTH = 5
MIN_FUZZY_PREFIX = 6
MAX_REMEMBERED = 1_000_000  # chunks; a year of a contact centre has fewer

Quality = tuple[MatchKind, float]


@dataclass(frozen=True, slots=True)
class HeardChunk:
    """Tokens of one chunk of text, the punctuation before each and after the last.

    ``marked``: anything but one word without punctuation.
    """

    words: tuple[str, ...]
    breaks: tuple[int, ...]
    break_after: int
    asks: bool
    marked: bool


@dataclass(slots=True)
class _Language:
    """Look-up tables over the slots of one language."""

    forms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    keys: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    prefixes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    fuzzy: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    fuzzy_prefixes: dict[str, dict[str, list[int]]] = field(default_factory=dict)


class Vocabulary:
    """Chunks of text → the slots that their words fill.

    Args:
        languages: Languages whose numerals and dictionaries apply.
        slots: All slots of the phrases; their position is their id.
        cutoff: Least ``rapidfuzz.fuzz.ratio`` (0–100) at which a garble counts as the word.
    """

    def __init__(self, languages: Sequence[str], slots: Sequence[Slot], cutoff: float) -> None:
        self._languages = tuple(languages)
        self._cutoff = cutoff
        self._tables = {language: _Language() for language in languages}
        self.slots_of: dict[str, frozenset[int]] = {}  # of every word heard that fills any
        self.mask_of: dict[str, int] = {}  # the same, a bit for each slot
        self._chunks: dict[str, HeardChunk] = {}
        self._quality: dict[tuple[str, int], Quality] = {}
        for slot_id, slot in enumerate(slots):
            self._index(slot_id, slot)

    def heard(self, chunks: Sequence[str]) -> list[HeardChunk]:
        """Tokens of each chunk; remembered. Afterwards ``slots_of`` knows what they fill."""
        known = self._chunks
        try:
            return [known[chunk] for chunk in chunks]
        except KeyError:
            return [known.get(chunk) or self._learn(chunk) for chunk in chunks]

    def quality(self, word: str, slot_id: int) -> Quality:
        """How well ``word`` fills a slot that :meth:`heard` said it fills."""
        return self._quality[word, slot_id]

    def _index(self, slot_id: int, slot: Slot) -> None:
        table = self._tables[slot.language]
        for alternative in slot.alternatives:
            word = alternative.word
            if alternative.kind == "prefix":
                table.prefixes[word].append(slot_id)
                if len(word) >= MIN_FUZZY_PREFIX:
                    bucket = table.fuzzy_prefixes.setdefault(word[0], defaultdict(list))
                    bucket[word].append(slot_id)
                continue
            table.forms[word].append(slot_id)
            if alternative.kind == "form":
                continue
            keys = word_keys(word, slot.language)
            if alternative.kind == "garbled_form":
                keys = frozenset()
            for key in keys:
                table.keys[key].append(slot_id)
            if alternative.kind != "stem":
                for form in {word, *keys}:
                    if len(form) >= MIN_FUZZY_LENGTH:
                        bucket = table.fuzzy.setdefault(form[0], defaultdict(list))
                        bucket[form].append(slot_id)

    def _learn(self, chunk: str) -> HeardChunk:
        if len(self._chunks) >= MAX_REMEMBERED:
            self._chunks.clear()
        heard = self._chunks[chunk] = self._hear(chunk)
        return heard

    def _hear(self, chunk: str) -> HeardChunk:
        analysed = analyse_chunk(chunk)
        words: list[str] = []
        breaks: list[int] = []
        for token in analysed.tokens:
            said = self._said(token.word)
            for at, variants in enumerate(said):
                # Digits stand for several words («28»: двадцать восемь, восьмой).
                word = token.word if len(said) == 1 else f"{token.word}:{at}"
                self._fill(word, variants)
                words.append(word)
                breaks.append(token.break_before if at == 0 else NO_BREAK)
        plain = len(words) == 1 and not (breaks[0] or analysed.break_after or analysed.asks)
        return HeardChunk(
            tuple(words), tuple(breaks), analysed.break_after, analysed.asks, not plain
        )

    def _said(self, word: str) -> list[list[tuple[str, str]]]:
        """Positions of a token, each with the (word, language) pairs that it may stand for."""
        if not word.isdecimal():
            return [[(word, language) for language in self._languages]]
        by_language = {language: numeral_words(word, language) for language in self._languages}
        length = len(next(iter(by_language.values())))
        return [
            [
                (variant, language)
                for language, positions in by_language.items()
                if len(positions) == length
                for variant in positions[at]
            ]
            for at in range(length)
        ]

    def _fill(self, word: str, variants: list[tuple[str, str]]) -> None:
        """Work out the slots that a token fills; ``variants`` are (word, language) pairs."""
        if word in self.slots_of:
            return
        found: dict[int, Quality] = {}
        for variant, language in variants:
            for slot, quality in self._compare(variant, language).items():
                found.setdefault(slot, quality)
        if not found:
            return
        self.slots_of[word] = frozenset(found)
        self.mask_of[word] = sum(1 << slot for slot in found)
        for slot, quality in found.items():
            self._quality[word, slot] = quality

    def _compare(self, word: str, language: str) -> dict[int, Quality]:
        table = self._tables[language]
        found: dict[int, Quality] = dict.fromkeys(table.forms.get(word, ()), ("exact", 100.0))
        keys = word_keys(word, language)
        for key in keys:
            for slot in table.keys.get(key, ()):
                found.setdefault(slot, ("stem", 100.0))
        for length in range(3, len(word) + 1):
            for slot in table.prefixes.get(word[:length], ()):
                found.setdefault(slot, ("stem", 100.0))
        if len(word) >= MIN_FUZZY_LENGTH and not self._is_other_word(word):
            for slot, score in self._garbled(word, keys, language):
                if slot not in found or found[slot][1] < score:
                    found[slot] = ("fuzzy", score)
        return found

    def _is_other_word(self, word: str) -> bool:
        return any(is_known(word, language) for language in self._languages)

    def _garbled(
        self, word: str, keys: frozenset[str], language: str
    ) -> Iterable[tuple[int, float]]:
        table = self._tables[language]
        same = 1 if language in DICTIONARIES else 2  # leading letters that must agree
        bucket = table.fuzzy.get(word[0], {})
        if bucket:
            for query in {word, *keys}:
                if len(query) < MIN_FUZZY_LENGTH:
                    continue
                hits = process.extract(
                    query, list(bucket), scorer=fuzz.ratio, score_cutoff=self._cutoff, limit=None
                )
                for form, score, _ in hits:
                    if form[:same] == query[:same]:
                        yield from ((slot, round(score, 1)) for slot in bucket[form])
        for prefix, slots in table.fuzzy_prefixes.get(word[0], {}).items():
            if len(word) < len(prefix) or word[:same] != prefix[:same]:
                continue
            score = fuzz.ratio(word[: len(prefix)], prefix, score_cutoff=self._cutoff)
            if score:
                yield from ((slot, round(score, 1)) for slot in slots)
