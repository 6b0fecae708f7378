"""Stems of a text, for searching stored segments by word."""

from __future__ import annotations

from speechlytics.phrases._keys import word_keys
from speechlytics.phrases._languages import LANGUAGES, languages_of
from speechlytics.phrases._text import numeral_words, words


def stem_keys(text: str, language: str | None = None) -> list[frozenset[str]]:
    """Keys of each word of ``text``; two words are forms of one if their keys share a member.

    Args:
        text: A query or a segment; punctuation, case and ё/е do not matter.
        language: ``"be-ru"`` gives keys of both; ``None`` of all languages.
    """
    return [keys for _, keys in word_stems(text, language)]


def word_stems(text: str, language: str | None = None) -> list[tuple[str, frozenset[str]]]:
    """Each word of ``text`` in its normal spelling, and its keys; see :func:`stem_keys`."""
    languages = LANGUAGES if language is None else languages_of(language)
    keys: list[tuple[str, frozenset[str]]] = []
    for word in words(text):
        if word.isdecimal():
            said = {language: numeral_words(word, language) for language in languages}
            single = {v for p in said.values() if len(p) == 1 for v in p[0]}
            keys.append((word, frozenset({word}) | single))
        else:
            found = (word_keys(word, entry) for entry in languages)
            keys.append((word, frozenset().union(*found)))
    return keys
