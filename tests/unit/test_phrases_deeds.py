"""Who says what they are about to do, in five languages; said by nobody in the labelled calls."""

from __future__ import annotations

import pytest

from speechlytics.phrases import speaks_of_own_deed

DEEDS = [
    ("ru", "Хорошо, сверюсь с архивом"),
    ("ru", "Погоди, очки достану"),
    ("ru", "Тогда перезагрузим порт"),
    ("uk", "Зараз підніму історію звернень"),
    ("uk", "Зачекай, знайду папірець"),
    ("be", "Хвілінку, праверу рахунак"),
    ("be", "Пачакайце, вазьму дакумент"),
    ("be-ru", "Пачакайце, сейчас возьму договор"),
    ("en", "Let me look into that for you"),
    ("en", "I'll pull up your account"),
    ("en", "I’m just opening the invoice"),
    ("hu", "Egy pillanat, megnézem a rendszerben"),
    ("hu", "Utánanézek ennek"),
    (None, "Ща гляну"),
]
IDLE = [
    ("ru", "Понимаю вас и прошу прощения"),
    ("ru", "Между прочим, это есть в договоре"),
    ("ru", "Мы вам перезвоним завтра"),
    ("ru", "Вчера смотрел и ничего не нашёл"),
    ("ru", "Назовите кодовое слово"),
    ("uk", "Дякую, чекаю"),
    ("be", "Дзякую, чакаю"),
    ("en", "I will call you back tomorrow"),
    ("en", "Your bill is due on Monday"),
    ("hu", "Köszönöm a türelmét"),
    ("hu", "Mi a szerződés száma?"),
    ("ru", ""),
]


@pytest.mark.parametrize(("language", "text"), DEEDS)
def test_a_deed(language, text):
    assert speaks_of_own_deed(text, language)


@pytest.mark.parametrize(("language", "text"), IDLE)
def test_no_deed(language, text):
    assert not speaks_of_own_deed(text, language)
