"""Does somebody say what they are about to do? «Сейчас открою карту», "let me check".

Whoever then falls silent is busy, not gone: said by the agent before a silence it announces a wait.
Grammar tells it (first person, present or future), so that no list of verbs has to be complete;
verbs of saying, knowing and wishing are no deeds.
"""

from __future__ import annotations

import re
from functools import lru_cache

from speechlytics.phrases._keys import DICTIONARIES, _morph
from speechlytics.phrases._languages import LANGUAGES, languages_of, word_set
from speechlytics.phrases._text import words

_NO_DEEDS: dict[str, frozenset[str]] = {
    "ru": word_set(
        "знать мочь смочь хотеть думать понимать понять видеть слышать слушать говорить сказать"
        " звонить благодарить просить извиняться приносить надеяться считать помнить верить быть"
        " ждать подождать бояться полагать сочувствовать любить жить работать являться желать"
        " называть перезвонить позвонить связаться передать отправить прислать выслать оформить"
        " напоминать стараться соглашаться признавать пользоваться платить стоять сидеть"
        " прочить"  # «между прочим»
    ),
    "uk": word_set(
        "знати могти змогти хотіти думати розуміти зрозуміти бачити чути слухати говорити сказати"
        " казати дзвонити дякувати просити перепрошувати вибачатися сподіватися вважати"
        " вірити бути чекати почекати боятися співчувати любити жити працювати бажати"
        " передзвонити зателефонувати передати відправити надіслати оформити"
        " нагадувати старатися погоджуватися користуватися платити стояти сидіти"
    ),
    "be": word_set(
        "знаю магу хачу думаю разумею бачу чую слухаю кажу тэлефаную званю дзякую прашу"
        " прабачаюся спадзяюся лічу памятаю веру буду чакаю пачакаю баюся люблю жыву працую"
        " жадаю нагадваю стараюся карыстаюся плачу сяджу перазваню патэлефаную перадам"
    ),
}
# Only words that end so are looked up; «дам» and «ем» go with «-м».
_FIRST_PERSON_ENDINGS = ("у", "ю", "усь", "юсь", "уся", "юся", "м", "мо", "мся", "мось", "мося")
# Belarusian has no dictionary here: endings of the first person.
_BE_FIRST_PERSON = re.compile(
    r"(?:[аяуюэеы]ю|лю|[жчш]у|[яеаэ]ру|гляну|дзену|цягну|стану|кіну|вярну|вазьму|прыму|знайду|[аузві]йду|аду)(?:ся)?$"
)
_ENGLISH = re.compile(
    r"\b(?:let me|lemme"
    r"|i(?: wi|')ll(?: just)? (?!call|ring|be |send|have|get back|let you|email|text)\w+"
    r"|i(?:'m| am)(?: just)? (?:going to|gonna|check|look|pull|open|load|search|bring|get|tak|put"
    r"|run|test|reset|restart|switch|updat|find|read|try|typ|fetch|grab|turn)\w*"
    r"|while i|while my|sit tight|hang tight|bear with me)\b"
)
_HUNGARIAN = re.compile(
    r"\b(?:meg|rá|be|ki|át|le|fel|föl|utána|elő|el|vissza|körbe|össze)?"
    r"(?:néz|kérdez|ellenőrz|ellenőriz|keres|nyit|hoz|megy|kapcsol|tölt|számol|intéz|csinál|egyeztet|rögzít"
    r"|állít|indít|olvas|ír|húz|mér|vesz|tesz|vesz|csukl|némul|lép|kukkant|pillant|teszt)"
    r"(?:[eoö]k|[eoö]m|l[ae]k)\b"
)


def speaks_of_own_deed(text: str, language: str | None = None) -> bool:
    """Whether the speaker of ``text`` says what they are doing or about to do.

    Args:
        text: One turn or segment.
        language: ISO 639-1 code, ``"be-ru"`` for mixed speech; ``None`` tries all.
    """
    languages = LANGUAGES if language is None else languages_of(language)
    lower = text.casefold()
    if "en" in languages and _ENGLISH.search(lower.replace("’", "'")):
        return True
    if "hu" in languages and _HUNGARIAN.search(lower):
        return True
    said = words(text)
    slavic = [one for one in ("ru", "uk", "be") if one in languages]
    return any(_is_deed(word, one) for one in slavic for word in said)


@lru_cache(maxsize=100_000)
def _is_deed(word: str, language: str) -> bool:
    """Whether a word is a verb of doing in the first person, present or future."""
    if len(word) < 3 or not word.endswith(_FIRST_PERSON_ENDINGS):
        return False
    if language not in DICTIONARIES:
        return bool(_BE_FIRST_PERSON.search(word)) and word not in _NO_DEEDS[language]
    parses = _morph(language).parse(word)
    if not parses[0].is_known:
        return False
    # Ukrainian parses come unranked: «знайду» is first of all a foundling.
    return any(
        "1per" in parse.tag
        and "VERB" in parse.tag
        and "past" not in parse.tag
        and parse.normal_form.replace("ё", "е") not in _NO_DEEDS[language]
        for parse in (parses if language == "uk" else parses[:1])
    )
