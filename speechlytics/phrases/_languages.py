"""What the matcher must know of each language: packs to load, negation, questions, numerals."""

from __future__ import annotations

LANGUAGES: tuple[str, ...] = ("ru", "uk", "be", "en", "hu")

# People mix: a Belarusian or Ukrainian call also listens with the Russian packs.
_ALSO: dict[str, tuple[str, ...]] = {"uk": ("uk", "ru"), "be": ("be", "ru")}


def languages_of(language: str | None) -> tuple[str, ...]:
    """Languages whose packs listen to a call: ``"be-ru"`` and ``"be"`` → ``("be", "ru")``.

    An unknown or missing language listens with all packs.
    """
    if language is None:
        return LANGUAGES
    found: list[str] = []
    for part in language.lower().replace("_", "-").split("-"):
        found += [entry for entry in _ALSO.get(part, (part,)) if entry not in found]
    known = tuple(entry for entry in found if entry in LANGUAGES)
    return known or LANGUAGES


# Letters that people and recognisers mix up are written alike: ё/е, ў/у, ő/ö, ű/ü.
SPELLING = str.maketrans({"ё": "е", "ў": "у", "ő": "ö", "ű": "ü"})


def word_set(text: str) -> frozenset[str]:
    """Words of ``text``, spelt as tokens are."""
    return frozenset(text.translate(SPELLING).split())


# Words that negate what follows. «нет», «ні», "no" answer a question more often than they
# negate the next word («нет, всё работает»), so they are not here.
NEGATORS: dict[str, frozenset[str]] = {
    "ru": frozenset({"не", "ни", "без", "нельзя", "никогда", "нечего", "незачем"}),
    "uk": frozenset({"не", "ані", "без", "ніколи", "нема", "немає"}),
    "be": frozenset({"не", "ня", "ані", "без", "бяз", "ніколі"}),
    "en": frozenset({"not", "never", "without", "neither", "nor", "hardly", "nobody"}),
    "hu": frozenset({"nem", "ne", "sem", "se", "nincs", "nincsen", "sose", "soha"}),
}

# Words that hand negation on to the next one: «не буду переносить», "not going to cancel".
CARRIERS: dict[str, frozenset[str]] = {
    "ru": word_set(
        "буду будем будет будут будете стану станем станет хочу хотим хочется могу можем может"
        " можете могут надо нужно обещаю обещаем собираюсь собираемся планирую думаю думал"
        " хотел хотела хотели очень совсем особо особенно так уже еще пока прям прямо даже"
        " мне вам нам вас вы мы я это его ее их больше просто то было получится получилось"
        " удалось удается удастся смогу сможем сможет смогли смог смогла как"
    ),
    "uk": word_set(
        "буду будемо буде будуть хочу хочемо можу можемо може можуть треба потрібно обіцяю"
        " обіцяємо збираюся збираюсь планую думаю думав хотів хотіла дуже зовсім особливо так"
        " вже ще поки навіть мені вам нам вас ви ми я це його її їх більше просто було вдалося"
        " вдасться зможу зможемо зможе змогли"
    ),
    "be": word_set(
        "буду будзем будзе будуць хачу хочам магу можам можа могуць трэба абяцаю абяцаем"
        " збіраюся думаю хацеў хацела вельмі зусім асабліва так ужо яшчэ пакуль нават мне вам"
        " нам вас вы мы я гэта яго яе іх больш проста было"
    ),
    "en": word_set(
        "be been being am is are was were going to want wanted will would have had has need"
        " really even quite a an the any yet so very that it you your me my say said think"
        " getting get actually exactly just able do does did"
    ),
    "hu": word_set(
        "is fog fogok fogjuk akarom akarok szeretném szeretnék kell lehet tudom tudok tudunk"
        " tudjuk tudja nagyon egészen még már olyan ezt azt én ön önnek önt magát volt lesz"
        " sikerült"
    ),
}

# Words that end the reach of a negator: polite questions («не могли бы вы позвать…»).
BREAKERS: dict[str, frozenset[str]] = {
    "ru": frozenset({"бы", "б", "но", "а", "только", "ли"}),
    "uk": frozenset({"би", "б", "але", "а", "тільки", "лише", "чи"}),
    "be": frozenset({"бы", "б", "але", "а", "толькі", "ці"}),
    "en": frozenset({"but", "only", "because", "why"}),
    "hu": frozenset({"de", "csak", "hanem", "mert"}),
}

_NUMBER_WORDS: dict[str, dict[int, str]] = {
    "ru": {
        0: "ноль", 1: "один", 2: "два", 3: "три", 4: "четыре", 5: "пять", 6: "шесть", 7: "семь",
        8: "восемь", 9: "девять", 10: "десять", 11: "одиннадцать", 12: "двенадцать",
        13: "тринадцать", 14: "четырнадцать", 15: "пятнадцать", 16: "шестнадцать",
        17: "семнадцать", 18: "восемнадцать", 19: "девятнадцать", 20: "двадцать", 30: "тридцать",
        40: "сорок", 50: "пятьдесят", 60: "шестьдесят", 70: "семьдесят", 80: "восемьдесят",
        90: "девяносто", 100: "сто", 200: "двести", 300: "триста", 400: "четыреста",
        500: "пятьсот", 600: "шестьсот", 700: "семьсот", 800: "восемьсот", 900: "девятьсот",
    },
    "uk": {
        0: "нуль", 1: "один", 2: "два", 3: "три", 4: "чотири", 5: "п'ять", 6: "шість", 7: "сім",
        8: "вісім", 9: "дев'ять", 10: "десять", 11: "одинадцять", 12: "дванадцять",
        13: "тринадцять", 14: "чотирнадцять", 15: "п'ятнадцять", 16: "шістнадцять",
        17: "сімнадцять", 18: "вісімнадцять", 19: "дев'ятнадцять", 20: "двадцять", 30: "тридцять",
        40: "сорок", 50: "п'ятдесят", 60: "шістдесят", 70: "сімдесят", 80: "вісімдесят",
        90: "дев'яносто", 100: "сто", 200: "двісті", 300: "триста", 400: "чотириста",
        500: "п'ятсот", 600: "шістсот", 700: "сімсот", 800: "вісімсот", 900: "дев'ятсот",
    },
    "be": {
        0: "нуль", 1: "адзін", 2: "два", 3: "тры", 4: "чатыры", 5: "пяць", 6: "шэсць", 7: "сем",
        8: "восем", 9: "дзевяць", 10: "дзесяць", 11: "адзінаццаць", 12: "дванаццаць",
        13: "трынаццаць", 14: "чатырнаццаць", 15: "пятнаццаць", 16: "шаснаццаць",
        17: "сямнаццаць", 18: "васямнаццаць", 19: "дзевятнаццаць", 20: "дваццаць", 30: "трыццаць",
        40: "сорак", 50: "пяцьдзясят", 60: "шэсцьдзясят", 70: "семдзесят", 80: "восемдзесят",
        90: "дзевяноста", 100: "сто", 200: "дзвесце", 300: "трыста", 400: "чатырыста",
        500: "пяцьсот", 600: "шэсцьсот", 700: "семсот", 800: "восемсот", 900: "дзевяцьсот",
    },
    "en": {
        0: "zero", 1: "one", 2: "two", 3: "three", 4: "four", 5: "five", 6: "six", 7: "seven",
        8: "eight", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve", 13: "thirteen",
        14: "fourteen", 15: "fifteen", 16: "sixteen", 17: "seventeen", 18: "eighteen",
        19: "nineteen", 20: "twenty", 30: "thirty", 40: "forty", 50: "fifty", 60: "sixty",
        70: "seventy", 80: "eighty", 90: "ninety", 100: "hundred",
    },
    "hu": {
        0: "nulla", 1: "egy", 2: "kettő", 3: "három", 4: "négy", 5: "öt", 6: "hat", 7: "hét",
        8: "nyolc", 9: "kilenc", 10: "tíz", 11: "tizenegy", 12: "tizenkettő", 13: "tizenhárom",
        14: "tizennégy", 15: "tizenöt", 16: "tizenhat", 17: "tizenhét", 18: "tizennyolc",
        19: "tizenkilenc", 20: "húsz", 21: "huszonegy", 22: "huszonkettő", 23: "huszonhárom",
        24: "huszonnégy", 25: "huszonöt", 26: "huszonhat", 27: "huszonhét", 28: "huszonnyolc",
        29: "huszonkilenc", 30: "harminc", 40: "negyven", 50: "ötven", 60: "hatvan",
        70: "hetven", 80: "nyolcvan", 90: "kilencven", 100: "száz",
    },
}  # fmt: skip
_ORDINAL_WORDS = {
    "ru": "первый второй третий четвертый пятый шестой седьмой восьмой девятый десятый",
    "uk": "перший другий третій четвертий п'ятий шостий сьомий восьмий дев'ятий десятий",
    "be": "першы другі трэці чацвёрты пяты шосты сёмы восьмы дзявяты дзясяты",
    "en": "first second third fourth fifth sixth seventh eighth ninth tenth",
    "hu": "első második harmadik negyedik ötödik hatodik hetedik nyolcadik kilencedik tizedik",
}


def _spelt(words: dict[int, str]) -> dict[int, str]:
    return {number: word.translate(SPELLING) for number, word in words.items()}


NUMERALS = {language: _spelt(words) for language, words in _NUMBER_WORDS.items()}
ORDINALS = {
    language: _spelt(dict(enumerate(text.split(), 1))) for language, text in _ORDINAL_WORDS.items()
}
