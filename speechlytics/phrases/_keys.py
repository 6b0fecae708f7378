"""Word → keys that its inflected forms share, per language.

Russian and Ukrainian: every lemma that pymorphy3 thinks possible (97 % of inflected forms meet
in one key). English and Hungarian: Snowball. Belarusian: endings cut off, and sounds that
assimilate written alike; fuzzy matching does the rest.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

MIN_GRAMMEME_SCORE = 0.25  # a word is taken for a verb only where it often is one
MIN_GUESSED_LENGTH = 6  # letters of a word that the dictionary does not list
MIN_PARSE_SCORE = 0.02  # parses below are guesses that no speaker means
_SNOWBALL = {"en": "english", "hu": "hungarian"}
DICTIONARIES = frozenset({"ru", "uk"})  # languages whose dictionary tells a word from a garble

_BE_ENDINGS = sorted(
    "амі ямі ымі імі ага яга ога ему аму яму ому ыму ых іх ым ім ам ям ах ях ой ай ей яй аю яю"
    " ою ею ую юю ая яя ое ае яе ые ія ыя ів аў оў еў эй ца цца ць ці ла лі ло у ю а я о е э ы"
    " і й ь еш эш ем эм еце уць юць аць яць іць ыць іш ыш іце ыце іт едзе эдзе аеш аем ае аюць"
    " яюць ваць аваць яваць нуць еюць еў ілі ала іла ыла ула".replace("ў", "у").split(),
    key=len,
    reverse=True,
)
_BE_MIN_STEM = 3


@cache
def _morph(language: str) -> Any:
    import pymorphy3

    return pymorphy3.MorphAnalyzer(lang=language)


@cache
def _stemmer(language: str) -> Any:
    import Stemmer

    return Stemmer.Stemmer(_SNOWBALL[language])


@lru_cache(maxsize=400_000)
def word_keys(word: str, language: str) -> frozenset[str]:
    """Keys under which forms of ``word`` meet; ``word`` is normalised (see ``_text``)."""
    if language in DICTIONARIES:
        parses = _morph(language).parse(word)
        lemmas = {p.normal_form for p in parses if p.score >= MIN_PARSE_SCORE}
        lemmas = lemmas or {parses[0].normal_form}
        return frozenset(lemma.replace("ё", "е").replace("'", "") for lemma in lemmas)
    if language in _SNOWBALL:
        return frozenset({_stemmer(language).stemWord(word)})
    if language == "be":
        return frozenset({_belarusian_stem(word)})
    return frozenset({word})


@lru_cache(maxsize=400_000)
def is_known(word: str, language: str) -> bool:
    """Whether a dictionary lists ``word``; ``False`` for languages without one."""
    return language in DICTIONARIES and bool(_morph(language).word_is_known(word))


@lru_cache(maxsize=400_000)
def grammemes(word: str, language: str) -> tuple[frozenset[str], ...]:
    """Grammemes (OpenCorpora tagset) of each likely reading of ``word``; none without a dictionary.

    A word that the dictionary does not list is read by its prefix and ending («перепривяжу»), if
    it is long enough for that.
    """
    if language not in DICTIONARIES:
        return ()
    parses = _morph(language).parse(word)
    if not parses[0].is_known and len(word) < MIN_GUESSED_LENGTH:
        return ()
    return tuple(
        frozenset(parse.tag.grammemes)
        for parse in parses
        if language == "uk" or parse.score >= MIN_GRAMMEME_SCORE  # Ukrainian readings are unranked
    )


def unknown_grammemes(written: str, language: str) -> list[str]:
    """Which of the grammemes of "VERB+1per" the tagset of ``language`` does not know."""
    return [part for part in written.split("+") if part not in _tagset(language)]


@cache
def _tagset(language: str) -> frozenset[str]:
    # The tag class itself forgets: all languages share it, and the last one loaded wins.
    tags = _morph(language).dictionary.gramtab
    return frozenset().union(*(tag.grammemes for tag in tags))


def _belarusian_stem(word: str) -> str:
    word = word.replace("'", "")
    for reflexive in ("цца", "ся", "сь"):
        if word.endswith(reflexive) and len(word) - len(reflexive) >= _BE_MIN_STEM:
            word = word.removesuffix(reflexive)
            break
    for ending in _BE_ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _BE_MIN_STEM:
            return word.removesuffix(ending)
    return word
