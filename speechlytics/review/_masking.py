"""Numbers and addresses that not everybody should read, covered in shown text.

Covered are e-mail addresses, runs of four digits and more (also written with spaces, dashes or
brackets, as phone and card numbers are) and runs of four spoken digits and more. Times stay: only
the letters are covered. Names and the audio itself are not.

Agents, teams and queues are our own: there a run is covered from seven digits, the length of a
phone number. A list of extensions, all covered, would tell nobody apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

COVER = "•"
MIN_DIGITS = 4
"""Shorter runs are prices, years are not: a year is covered, too; better so than a PIN shown."""

MIN_NAME_DIGITS = 7
"""The same in the names of agents, teams and queues."""

# Looks for "@" from the first letter of a run only: from each, a long run would take for ever.
_EMAIL = r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_RUN = r"\+?\d(?:[\s().,/\-–‑_]{{0,3}}\d){{{},}}"
_DIGITS = _RUN.format(MIN_DIGITS - 1)
_SPOKEN = (
    "double", "egy", "eight", "five", "four", "hat", "három", "hét", "kettő", "kilenc", "két",
    "nine", "nulla", "nyolc", "négy", "oh", "one", "seven", "six", "three", "triple", "two",
    "zero", "öt", "адзін", "восем", "восемнадцать", "восемь", "восемьдесят", "восемьсот",
    "вісім", "два", "двадцать", "две", "двенадцать", "двести", "дев'ять", "девяносто",
    "девятнадцать", "девять", "девятьсот", "десять", "дзевяць", "ноль", "нуль", "один",
    "одиннадцать", "одна", "п'ять", "пятнадцать", "пять", "пятьдесят", "пятьсот", "пяць",
    "сем", "семнадцать", "семь", "семьдесят", "семьсот", "сорок", "сто", "сім", "три",
    "тридцать", "тринадцать", "триста", "тры", "чатыры", "четыре", "четыреста", "четырнадцать",
    "чотири", "шестнадцать", "шесть", "шестьдесят", "шестьсот", "шэсць", "шість",
)  # fmt: skip
_SPOKEN_DIGIT = rf"\b(?:{'|'.join(sorted(_SPOKEN, key=len, reverse=True))})\b"
_SPOKEN_RUN = rf"{_SPOKEN_DIGIT}(?:[\s,.\-–]+{_SPOKEN_DIGIT}){{{MIN_DIGITS - 1},}}"
_SENSITIVE = re.compile(f"{_EMAIL}|{_DIGITS}|{_SPOKEN_RUN}", re.IGNORECASE)
_SENSITIVE_NAME = re.compile(f"{_EMAIL}|{_RUN.format(MIN_NAME_DIGITS - 1)}")
_LETTER = re.compile(r"[^\W_]")


def mask(text: str) -> str:
    """Text with what is sensitive covered, letter by letter, so that its length stays."""
    return _SENSITIVE.sub(lambda found: _LETTER.sub(COVER, found.group()), text)


def mask_name(text: str) -> str:
    """Name of an agent, team or queue with phone numbers and e-mail addresses covered."""
    return _SENSITIVE_NAME.sub(lambda found: _LETTER.sub(COVER, found.group()), text)


def mask_words(words: Sequence[str]) -> list[str]:
    """Words of one turn, covered as the whole turn would be: a number runs over many words."""
    stripped = [word.strip() for word in words]
    joined = " ".join(stripped)
    covered = mask(joined)
    masked, at = [], 0
    for word in stripped:
        masked.append(covered[at : at + len(word)])
        at += len(word) + 1
    return masked
