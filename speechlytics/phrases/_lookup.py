"""Which slots of one language a word fills: as it stands, by its keys, or garbled.

Fuzz is for garbles: a word that a dictionary knows is another word, not a misheard one
(«отключить» is no «подключить»), and the first letters must agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rapidfuzz import fuzz, process

from speechlytics.phrases._grammar import MIN_PREFIX, Alternative
from speechlytics.phrases._keys import DICTIONARIES, grammemes, word_keys
from speechlytics.records import MatchKind

MIN_FUZZY_LENGTH = 5
MIN_FUZZY_PREFIX = 6
MIN_NEAR_LENGTH = 6  # of exact forms in languages without a dictionary…
NEAR_CUTOFF = 90.0  # …which take a dropped or added letter, or one wrong in ten…
NEAR_ENDING = 3  # …before the last letters
MIN_JOINED_LENGTH = 6  # of a word that a recogniser split in two («за пущу»)

Quality = tuple[MatchKind, float]
_Forms = dict[str, dict[str, list[int]]]  # first letters → form → slots


@dataclass(slots=True)
class Lookup:
    """Look-up tables over the slots of one language.

    ``heads`` maps the first parts of the phrases' words to the two letters that may follow: only
    there a word that a recogniser split is looked for.
    """

    language: str
    forms: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    heads: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _keys: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _prefixes: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    _grammemes: dict[frozenset[str], list[int]] = field(default_factory=lambda: defaultdict(list))
    _fuzzy: _Forms = field(default_factory=dict)
    _fuzzy_prefixes: _Forms = field(default_factory=dict)
    _near: _Forms = field(default_factory=dict)

    def index(self, slot: int, alternative: Alternative) -> None:
        """Let ``alternative`` fill ``slot``."""
        word = alternative.word
        if alternative.kind == "grammemes":
            self._grammemes[frozenset(word.split("+"))].append(slot)
            return
        if alternative.kind == "prefix":
            self._prefixes[word].append(slot)
            if len(word) >= MIN_FUZZY_PREFIX:
                _file(self._fuzzy_prefixes, word[0], word, slot)
            return
        self.forms[word].append(slot)
        if alternative.kind == "form":
            return
        exact = alternative.kind == "garbled_form"
        keys = frozenset() if exact else word_keys(word, self.language)
        for key in keys:
            self._keys[key].append(slot)
        for form in {word, *keys}:
            self._expect_split(form)
            if exact and self.language not in DICTIONARIES:
                if len(form) >= MIN_NEAR_LENGTH:
                    _file(self._near, form[:2], form, slot)
            elif alternative.kind != "stem" and len(form) >= MIN_FUZZY_LENGTH:
                _file(self._fuzzy, form[0], form, slot)

    def whole(self, word: str) -> dict[int, Quality]:
        """Slots that ``word`` fills without any letter guessed."""
        found: dict[int, Quality] = dict.fromkeys(self.forms.get(word, ()), ("exact", 100.0))
        for key in word_keys(word, self.language):
            for slot in self._keys.get(key, ()):
                found.setdefault(slot, ("stem", 100.0))
        return found

    def prefixed(self, word: str) -> Iterator[int]:
        """Slots of the prefixes of ``word``."""
        longest = max(map(len, self._prefixes), default=0)
        for length in range(MIN_PREFIX, min(len(word), longest) + 1):
            yield from self._prefixes.get(word[:length], ())

    def inflected(self, word: str) -> Iterator[int]:
        """Slots of the grammemes that a reading of ``word`` has."""
        if self._grammemes:
            readings = grammemes(word, self.language)
            for wanted, slots in self._grammemes.items():
                if any(wanted <= reading for reading in readings):
                    yield from slots

    def garbled(self, word: str, cutoff: float) -> Iterator[tuple[int, float]]:
        """Slots that ``word`` fills if it was misheard, with the likeness."""
        if len(word) < MIN_FUZZY_LENGTH:
            return
        same = 1 if self.language in DICTIONARIES else 2  # leading letters that must agree
        bucket = self._fuzzy.get(word[0], {})
        for query in {word, *word_keys(word, self.language)} if bucket else ():
            if len(query) < MIN_FUZZY_LENGTH:
                continue
            hits = process.extract(
                query, list(bucket), scorer=fuzz.ratio, score_cutoff=cutoff, limit=None
            )
            for form, score, _ in hits:
                if form[:same] == query[:same]:
                    yield from _scored(bucket[form], score)
        for prefix, slots in self._fuzzy_prefixes.get(word[0], {}).items():
            if len(word) >= len(prefix) and word[:same] == prefix[:same]:
                yield from _scored(slots, fuzz.ratio(word[: len(prefix)], prefix), cutoff)
        if word in self.forms:
            return
        for form, slots in self._near.get(word[:2], {}).items():
            # Another ending is another form, not a garble: «keresek» is no «keresnek».
            if word[-NEAR_ENDING:] == form[-NEAR_ENDING:]:
                yield from _scored(slots, fuzz.ratio(word, form), NEAR_CUTOFF)

    def _expect_split(self, word: str) -> None:
        if len(word) >= MIN_JOINED_LENGTH:
            shortest = 1 if self.language in DICTIONARIES else 2
            for cut in range(shortest, len(word) - 1):
                self.heads[word[:cut]].add(word[cut : cut + 2])


def _file(forms: _Forms, letters: str, form: str, slot: int) -> None:
    forms.setdefault(letters, defaultdict(list))[form].append(slot)


def _scored(slots: Iterable[int], score: float, cutoff: float = 0.0) -> Iterator[tuple[int, float]]:
    if score >= cutoff:
        yield from ((slot, round(score, 1)) for slot in slots)
