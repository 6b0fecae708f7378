"""The vocabulary index: each word of speech is compared with all phrases once, then remembered.

A call of 800 words then costs 800 dictionary look-ups; phrases are verified only where their
rarest word was heard. Words that a recogniser split in two («за пущу») or wrote as one
(«перезвонитемне») are mended here as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rapidfuzz import fuzz

from speechlytics.phrases._grammar import Slot
from speechlytics.phrases._heard import Chunks, HeardChunk, Token, mask_of
from speechlytics.phrases._keys import DICTIONARIES, is_known
from speechlytics.phrases._languages import NEGATORS
from speechlytics.phrases._lookup import MIN_JOINED_LENGTH, Lookup, Quality
from speechlytics.phrases._text import NO_BREAK, analyse_chunk, numeral_words

MIN_GLUED_PART = 3  # of two words that a recogniser wrote as one, the shorter one
MAX_GLUED = 40  # letters of both: a longer chunk is no speech
MAX_REMEMBERED = 1_000_000  # chunks; a year of a contact centre has fewer


_NOTHING: frozenset[int] = frozenset()
_NO_HEADS: frozenset[str] = frozenset()


class Vocabulary:
    """Chunks of text → words, and the slots that they fill.

    Args:
        languages: Languages whose numerals and dictionaries apply.
        slots: All slots of the phrases; their position is their id.
        cutoff: Least ``rapidfuzz.fuzz.ratio`` (0–100) at which a garble counts as the word.
    """

    def __init__(self, languages: Sequence[str], slots: Sequence[Slot], cutoff: float) -> None:
        self._languages = tuple(languages)
        self._cutoff = cutoff
        self._tables = {language: Lookup(language) for language in languages}
        self.slots_of: dict[str, frozenset[int]] = {}  # of every word heard that fills any
        self._tokens: dict[str, Token] = {}
        self._chunks = Chunks(self._hear, MAX_REMEMBERED)
        self._quality: dict[tuple[str, int], Quality] = {}
        self._joined: dict[tuple[str, str], bool] = {}
        for slot_id, slot in enumerate(slots):
            for alternative in slot.alternatives:
                self._tables[slot.language].index(slot_id, alternative)
        # First parts of words that may be split, and the two letters that may follow each.
        heads: dict[str, set[str]] = defaultdict(set)
        for table in self._tables.values():
            for head, following in table.heads.items():
                heads[head] |= following
        self._heads = {head: frozenset(following) for head, following in heads.items()}

    def heard(self, chunks: Iterable[str]) -> list[HeardChunk]:
        """Tokens of each chunk; remembered. Spaces around a chunk do not matter."""
        return list(map(self._chunks.__getitem__, chunks))

    def quality(self, word: str, slot_id: int) -> Quality:
        """How well ``word`` fills a slot that ``slots_of`` says it fills."""
        return self._quality[word, slot_id]

    def join(self, token: Token, following: Token) -> Token | None:
        """A token that is also the word which it makes with the next one («за пущу»).

        Only whole words that need no further guess count: a word that the dictionary lists,
        elsewhere one that stands in a phrase in this form or another. ``Token.heads`` says where
        to ask. ``None`` if no phrase has such a word.
        """
        first, second = token.word, following.word
        joined = first + second
        if len(joined) < MIN_JOINED_LENGTH:
            return None
        known = self._joined.get((first, second))
        if known is None:
            if len(self._joined) >= MAX_REMEMBERED:
                self._joined.clear()
            known = self._joined[first, second] = self._learn_joined(first, second)
        if not known:
            return None
        slots = token.slots | self.slots_of[joined]
        return replace(token, slots=slots, mask=mask_of(slots), joined=joined)

    def _learn_joined(self, first: str, second: str) -> bool:
        joined = first + second
        found: dict[int, Quality] = {}
        for language in self._languages:
            if first in NEGATORS[language] or second in NEGATORS[language]:
                return False
            if self._splittable(first, second, language):
                score = round(fuzz.ratio(f"{first} {second}", joined), 1)
                for slot in self._tables[language].whole(joined):
                    found.setdefault(slot, ("fuzzy", score))
        if found and joined not in self.slots_of:
            self._remember(joined, found)
        return bool(found)

    def _splittable(self, first: str, second: str, language: str) -> bool:
        """Whether a recogniser could have split a word so: «мастер у», «смог ли» are two."""
        if len(second) < 2:
            return False
        short = len(second) == 2
        if language not in DICTIONARIES:
            return not (short and first in self.slots_of)
        return is_known(first + second, language) and not (
            short and is_known(first, language) and is_known(second, language)
        )

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
                parts = self._parts(word) if len(said) == 1 else (word,)
                words += parts
                breaks += [token.break_before if at == 0 else NO_BREAK]
                breaks += [NO_BREAK] * (len(parts) - 1)
        tokens = tuple(self._token(word) for word in words)
        only = tokens[0] if len(tokens) == 1 else None
        broken = tuple(breaks) if any(breaks) else ()
        marked = only is None or bool(broken or analysed.break_after or analysed.asks)
        return HeardChunk(tokens, only, broken, analysed.break_after, analysed.asks, marked)

    def _token(self, word: str) -> Token:
        token = self._tokens.get(word)
        if token is None:
            slots = self.slots_of.get(word, _NOTHING)
            heads = self._heads.get(word, _NO_HEADS)
            if len(self._tokens) >= MAX_REMEMBERED:
                self._tokens.clear()
            token = Token(word, slots, mask_of(slots), heads, bool(slots or heads))
            self._tokens[word] = token
        return token

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

    def _parts(self, word: str) -> tuple[str, ...]:
        """The two words that a recogniser wrote as one («перезвонитемне»), else the word.

        Only for a word that no dictionary lists and no phrase has (but garbled), into two that a
        dictionary lists (elsewhere: that stand in phrases), one of which a phrase has. «не» is
        told from the word it negates even if no phrase has that word.
        """
        slots = self.slots_of.get(word, frozenset())
        if len(word) > MAX_GLUED or word.isdecimal():
            return (word,)
        if any(self._quality[word, slot][0] != "fuzzy" for slot in slots):
            return (word,)
        if self._is_other_word(word):
            return (word,)
        for language in self._languages:
            for cut in range(2, len(word) - 1):
                first, second = word[:cut], word[cut:]
                if self._glued(first, second, language):
                    for part in (first, second):
                        self._fill(part, [(part, entry) for entry in self._languages])
                    return first, second
        return (word,)

    def _glued(self, first: str, second: str, language: str) -> bool:
        """Whether two words could have been written as one."""
        # A dictionary says nothing of the words of a language that has none.
        by_dictionary = DICTIONARIES.issuperset(self._languages)
        if not (
            self._is_word(first, language, by_dictionary=by_dictionary)
            and self._is_word(second, language, by_dictionary=by_dictionary)
        ):
            return False
        if by_dictionary and first in NEGATORS[language]:
            return True
        table = self._tables[language]
        return min(len(first), len(second)) >= MIN_GLUED_PART and bool(
            table.whole(first) or table.whole(second)
        )

    def _is_word(self, word: str, language: str, *, by_dictionary: bool) -> bool:
        if by_dictionary:
            return is_known(word, language)
        # English is full of words that hold two others ("however").
        return (
            language != "en" and len(word) > MIN_GLUED_PART and word in self._tables[language].forms
        )

    def _fill(self, word: str, variants: list[tuple[str, str]]) -> None:
        """Work out the slots that a token fills; ``variants`` are (word, language) pairs."""
        if word in self.slots_of:
            return
        found: dict[int, Quality] = {}
        for variant, language in variants:
            for slot, quality in self._compare(variant, language).items():
                found.setdefault(slot, quality)
        if found:
            self._remember(word, found)

    def _remember(self, word: str, found: dict[int, Quality]) -> None:
        self.slots_of[word] = frozenset(found)
        for slot, quality in found.items():
            self._quality[word, slot] = quality

    def _compare(self, word: str, language: str) -> dict[int, Quality]:
        table = self._tables[language]
        found = table.whole(word)
        for slot in (*table.prefixed(word), *table.inflected(word)):
            found.setdefault(slot, ("stem", 100.0))
        if not self._is_other_word(word):
            for slot, score in table.garbled(word, self._cutoff):
                if slot not in found or found[slot][1] < score:
                    found[slot] = ("fuzzy", score)
        return found

    def _is_other_word(self, word: str) -> bool:
        return any(is_known(word, language) for language in self._languages)
