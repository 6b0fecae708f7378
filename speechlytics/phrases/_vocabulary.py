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
from speechlytics.phrases._text import analyse_chunk, numeral_words
from speechlytics.records import MatchKind

MIN_FUZZY_LENGTH = 5
MIN_FUZZY_PREFIX = 6
MAX_REMEMBERED = 1_000_000  # chunks; a year of a contact centre has fewer

Quality = tuple[MatchKind, float]


@dataclass(frozen=True, slots=True)
class HeardToken:
    """A normalised word, the punctuation before it, and the slots it fills."""

    word: str
    break_before: int
    slots: frozenset[int]


@dataclass(frozen=True, slots=True)
class HeardChunk:
    """What one chunk of text means to the phrases."""

    tokens: tuple[HeardToken, ...]
    break_after: int
    asks: bool


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
        self._chunks: dict[str, HeardChunk] = {}
        self._fillers: dict[int, set[str]] = defaultdict(set)
        self._quality: dict[tuple[str, int], Quality] = {}
        for slot_id, slot in enumerate(slots):
            self._index(slot_id, slot)

    def heard(self, chunk: str) -> HeardChunk:
        """Tokens of ``chunk`` with the slots they fill; remembered."""
        known = self._chunks.get(chunk)
        if known is None:
            if len(self._chunks) >= MAX_REMEMBERED:
                self._chunks.clear()
            known = self._chunks[chunk] = self._hear(chunk)
        return known

    def words_of(self, slot_id: int) -> set[str]:
        """Words heard so far that fill a slot."""
        return self._fillers[slot_id]

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

    def _hear(self, chunk: str) -> HeardChunk:
        analysed = analyse_chunk(chunk)
        tokens: list[HeardToken] = []
        for token in analysed.tokens:
            said = self._said(token.word)
            for at, variants in enumerate(said):
                slots = {slot for word, language in variants for slot in self._fill(word, language)}
                word = variants[0][0]
                for variant, _ in variants:
                    for slot in slots:
                        quality = self._quality.get((variant, slot))
                        if quality is not None:
                            self._quality.setdefault((word, slot), quality)
                for slot in slots:
                    self._fillers[slot].add(word)
                break_before = token.break_before if at == 0 else 0
                tokens.append(HeardToken(word, break_before, frozenset(slots)))
        return HeardChunk(tuple(tokens), analysed.break_after, analysed.asks)

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

    def _fill(self, word: str, language: str) -> Iterable[int]:
        found = self._compare(word, language)
        for slot, quality in found.items():
            self._quality.setdefault((word, slot), quality)
        return found

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
