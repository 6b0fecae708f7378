"""Text → tokens: case, ё/е, apostrophes, contractions, hyphens and numerals made alike.

A *chunk* is what stands between two spaces, punctuation included. Speech repeats itself, so
everything about a chunk is worked out once and remembered (see ``_vocabulary``).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from speechlytics.phrases._languages import NUMERALS, ORDINALS, SPELLING

NO_BREAK = 0
COMMA = 1  # a comma, a dash, an ellipsis: the clause may end, the sentence goes on
SENTENCE = 2  # . ! ?

_PIECE = re.compile(r"(?P<word>[^\W_]+(?:'[^\W_]+)*'?)|(?P<end>[.!?…]+)|(?P<pause>[,;:—–()\"«»“”])")
_APOSTROPHES = str.maketrans(dict.fromkeys("’ʼ`´‘", "'")) | SPELLING
_ENGLISH_ENDINGS = {
    "n't": "not",
    "'m": "am",
    "'re": "are",
    "'ve": "have",
    "'ll": "will",
    "'d": "would",
}
_ENGLISH_WHOLE = {
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "cant": ("can", "not"),
    "won't": ("will", "not"),
    "wont": ("will", "not"),
    "let's": ("let", "us"),
    "im": ("i", "am"),
    "ive": ("i", "have"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "gotta": ("got", "to"),
    **{
        f"{verb}nt": (verb, "not")
        for verb in (
            "do", "did", "does", "is", "are", "was", "were", "has", "have", "had",
            "should", "would", "could",
        )
    },
    **{
        f"{word}{s}": (word, "is")
        for word in ("it", "that", "there", "what", "he", "she", "here", "who", "where", "how")
        for s in ("'s",)
    },
    "thats": ("that", "is"),
    "whats": ("what", "is"),
    "theres": ("there", "is"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Token:
    """One normalised word and the punctuation before it (``NO_BREAK``, ``COMMA``, ``SENTENCE``)."""

    word: str
    break_before: int = NO_BREAK


@dataclass(frozen=True, slots=True)
class Chunk:
    """Tokens of one chunk, the punctuation after them, and whether it ends with ``?``."""

    tokens: tuple[Token, ...]
    break_after: int
    asks: bool


def analyse_chunk(chunk: str) -> Chunk:
    """Split one chunk («что-нибудь?», ``can't``) into normalised tokens."""
    text = unicodedata.normalize("NFKC", chunk).lower().translate(_APOSTROPHES)
    if text.isalpha():  # most chunks: no punctuation, no digits
        return Chunk(tuple(Token(word) for word in _words(text)), NO_BREAK, asks=False)
    text = text.replace("...", "…")
    tokens: list[Token] = []
    pending = NO_BREAK
    for piece in _PIECE.finditer(text):
        if piece["word"] is None:
            pending = max(pending, _strength(piece.group()))
            continue
        for word in _words(piece["word"].strip("'")):
            tokens.append(Token(word, pending))
            pending = NO_BREAK
    return Chunk(tuple(tokens), pending, "?" in text)


def _strength(mark: str) -> int:
    """``…`` is a hesitation: people go on with the same sentence after it."""
    if "?" in mark or "!" in mark:
        return SENTENCE
    return COMMA if mark[0] in ',;:—–()"«»“”…' or ".." in mark else SENTENCE


def _words(word: str) -> tuple[str, ...]:
    whole = _ENGLISH_WHOLE.get(word)
    if whole is not None:
        return whole
    if "'" in word and word.isascii():
        for ending, expansion in _ENGLISH_ENDINGS.items():
            if word.endswith(ending):
                return (word.removesuffix(ending), expansion)
        return (word.split("'", 1)[0],)
    return (word,)


def words(text: str) -> list[str]:
    """Normalised words of ``text`` without punctuation."""
    return [word for chunk in text.split() for word in _words_of(chunk)]


@lru_cache(maxsize=100_000)
def _words_of(chunk: str) -> tuple[str, ...]:
    return tuple(token.word for token in analyse_chunk(chunk).tokens)


def numeral_words(number: str, language: str) -> tuple[tuple[str, ...], ...]:
    """How digits are said: ``"28"`` in Russian is ``(("двадцать",), ("восемь", "восьмой"))``.

    Each position lists the cardinal and, in the last one, the ordinal («28-й» is written «28»
    by recognisers). Beyond 999, or in a language without a table, the digits stay as they are.
    """
    table = NUMERALS.get(language)
    if table is None or len(number) > 3 or not number.isdecimal():
        return ((number,),)
    value = int(number)
    parts = _cardinals(value, table, compound=language == "hu")
    ordinal = ORDINALS.get(language, {}).get(value)
    last = (parts[-1],) if ordinal is None else (parts[-1], ordinal)
    return (*((part,) for part in parts[:-1]), last)


def _cardinals(value: int, table: dict[int, str], *, compound: bool) -> list[str]:
    if value in table:
        return [table[value]]
    hundreds, rest = divmod(value, 100)
    parts: list[str] = []
    if hundreds:
        one = table.get(hundreds * 100)
        parts += [one] if one else [table[hundreds], table[100]]
    if rest in table and rest:
        parts.append(table[rest])
    elif rest:
        parts += [table[rest // 10 * 10], table[rest % 10]]
    if not compound:
        return parts
    joined = "".join(parts)
    return [joined.replace("húszon", "huszon").replace("tízen", "tizen")]
