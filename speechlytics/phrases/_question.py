"""Is it a question? Also without punctuation, as recognisers often write."""

from __future__ import annotations

import re

from speechlytics.phrases._languages import LANGUAGES, languages_of, word_set
from speechlytics.phrases._text import words

_WITHIN_WORDS = 3  # a question word stands near the start («а вы когда приедете»)

_QUESTION_WORDS: dict[str, frozenset[str]] = {
    "ru": word_set(
        "кто что чего чему когда где куда откуда как какой какая какое какие какого какую каким"
        " почему зачем отчего сколько чей чья чье чьи разве неужели долго можно можете сможете"
        " можешь который нельзя"
    ),
    "uk": word_set(
        "чи хто що чого чому коли де куди звідки як який яка яке які якого яку навіщо скільки"
        " чий чия чиє хіба невже довго можна можете зможете котрий"
    ),
    "be": word_set(
        "ці хто што чаго чаму калі дзе куды адкуль як які якая якое якія якога якую навошта"
        " колькі чый чыя няужо хіба доуга можна можаце зможаце"
    ),
    "en": word_set(
        "who what when where why how which whose whom can could would will do does did is are"
        " was were have has should shall may"
    ),
    "hu": word_set(
        "ki kik mi mit mik mikor hol hova honnan hogyan miért melyik mennyi mennyibe hány"
        " milyen meddig mettől kinek minek ugye vajon lehet tud tudja tudna lenne"
    ),
}
# Words that make a question wherever they stand.
_PARTICLES: dict[str, frozenset[str]] = {
    "ru": frozenset({"ли", "разве", "неужели", "подскажите", "скажите"}),
    "uk": frozenset({"хіба", "невже", "підкажіть", "скажіть"}),
    "be": frozenset({"няужо", "хіба", "падкажыце", "скажыце"}),
    "en": frozenset(),
    "hu": frozenset({"ugye", "vajon", "e"}),  # «működik-e»
}
# «e-mail», «e-számla», «e mail»: an "e" that opens a compound is a letter; the particle closes one.
_LETTER_E = re.compile(r"(?<![^\W_])(?<!-)e(?:-(?=\w)|\s+(?=mail))", re.IGNORECASE)
# «что-то», «как только», «когда-нибудь»: the same words when they do not ask.
_NOT_AFTER: dict[str, frozenset[str]] = {
    "ru": frozenset({"то", "нибудь", "либо", "только", "бы", "будто", "раз", "угодно"}),
    "uk": frozenset({"небудь", "тільки", "би", "ніби", "раз", "завгодно", "то"}),
    "be": frozenset({"небудзь", "толькі", "бы", "быццам", "раз", "то", "та"}),
    "en": frozenset({"ever"}),
    "hu": frozenset(),
}
# «то, что нужно», «потому что», «работает как часы»: joined to what stands before, not asking.
_NOT_BEFORE: dict[str, frozenset[str]] = {
    "ru": word_set("то потому так все спасибо хорошо работает работают идет летает пашет"),
    "uk": word_set("те тому так усе все дякую добре працює працюють летить"),
    "be": word_set("тое таму так усё дзякуй дзякую добра працуе"),
    "en": frozenset(),
    "hu": frozenset(),
}
_JOINING = word_set("что как що як што")  # only these join clauses so
_LIKE = {"как": "так", "як": "так"}  # «как рвался, так и рвётся»
# "How" opens an English question only as the very first words; a subject before it does not ask.
_WITHIN = {"en": 1}


def is_question(text: str, language: str | None = None) -> bool:
    """Whether ``text`` asks something: a question mark, or a question word or particle.

    Args:
        text: One turn or segment, with or without punctuation.
        language: ISO 639-1 code, ``"be-ru"`` for mixed speech; ``None`` tries all.
    """
    if "?" in text:
        return True
    said = words(_LETTER_E.sub("", text))
    # Who wrote the full stop would have written the question mark.
    punctuated = text.rstrip().endswith((".", "!"))
    languages = LANGUAGES if language is None else languages_of(language)
    return any(_asks(said, entry, particles_only=punctuated) for entry in languages)


def _asks(said: list[str], language: str, *, particles_only: bool) -> bool:
    if any(word in _PARTICLES[language] for word in said):
        return True
    if particles_only:
        return False
    near = said[: _WITHIN.get(language, _WITHIN_WORDS)]
    for at, word in enumerate(near):
        following = said[at + 1] if at + 1 < len(said) else ""
        if word not in _QUESTION_WORDS[language] or following in _NOT_AFTER[language]:
            continue
        if word in _LIKE and _LIKE[word] in said[at + 1 : at + 2 + _WITHIN_WORDS]:
            continue
        if word not in _JOINING or not at or near[at - 1] not in _NOT_BEFORE[language]:
            return True
    return False
