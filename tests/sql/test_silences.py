"""Severity by length, harm by what it did to the customer."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("for_s", "values", "severity"),
    [
        (9.9, {}, None),
        (10, {}, "warn"),
        (15, {}, "alert"),
        (30, {}, "critical"),
        (30, {"announced": None}, "critical"),
        (59, {"announced": True}, None),
        (60, {"announced": True}, "warn"),
        (14, {"kind": "hold_music"}, None),
        (15, {"kind": "hold_music"}, "warn"),
        (59, {"kind": "hold_music", "announced": True}, None),
        (60, {"kind": "hold_music", "announced": True}, "warn"),
        (40, {"position": "leading"}, None),
        (40, {"position": "trailing"}, None),
        (40, {"position": "trailing", "after_question": True}, "critical"),
    ],
)
def test_severity(catalog, for_s, values, severity):
    catalog.call("c")
    catalog.silence("c", 20, for_s, **values)
    catalog.ready()
    alerts = catalog.all("SELECT severity FROM silence_alerts")
    assert alerts == ([{"severity": severity}] if severity else [])


def test_thresholds_are_arguments(catalog):
    catalog.call("c")
    catalog.silence("c", 20, 18)
    catalog.ready()
    row = catalog.one("FROM long_silences(min_duration_s := 5, alert_s := 6, critical_s := 17)")
    assert row["severity"] == "critical"


def harm(new_catalog, *, before, after, for_s=20, hits=(), **values):
    catalog = new_catalog()
    catalog.call("c")
    catalog.say("c", values["before_role"], 18, before)
    catalog.silence("c", 20, for_s, **values)
    if after:
        catalog.say("c", values["after_role"], 20 + for_s, after)
    for category, role, at_s in hits:
        catalog.hit("c", category, at_s, role)
    return catalog.ready().one("FROM long_silences()")["harm"]


CUSTOMER_TO_AGENT = {"before_role": "customer", "after_role": "agent"}
AGENT_TO_CUSTOMER = {"before_role": "agent", "after_role": "customer"}


def test_harm_ranks_what_it_did_not_how_long_it_was(new_catalog):
    """From worst to harmless; the harmless ones are the longer ones."""
    cases = [
        harm(new_catalog, before="Так, гляну", after="Алло? Вы там?", **AGENT_TO_CUSTOMER),
        harm(
            new_catalog,
            before="Почему не работает?",
            after="Не знаю",
            hits=[("cannot_help", "agent", 41)],
            after_question=True,
            **CUSTOMER_TO_AGENT,
        ),
        harm(new_catalog, before="Шесть, сорок два, ноль", after="Так", **CUSTOMER_TO_AGENT),
        harm(
            new_catalog,
            before="Давайте, жду вашего ответа",
            after="Спасибо за ожидание",
            announced=True,
            thanked=True,
            for_s=40,
            **CUSTOMER_TO_AGENT,
        ),
        harm(
            new_catalog,
            before="Перезагрузите роутер",
            after="Загорелось",
            for_s=70,
            **AGENT_TO_CUSTOMER,
        ),
        harm(
            new_catalog,
            before="Сейчас найду договор",
            after="Вот, нашла",
            for_s=70,
            hits=[("harmless_wait", "customer", 18)],
            before_role="customer",
            after_role="customer",
        ),
    ]
    assert cases == sorted(cases, reverse=True)
    assert len(set(cases)) == len(cases)
    assert cases[0] > 0.8
    assert cases[-1] < 0.1


@pytest.mark.parametrize("for_s", [10, 30])
def test_harm_grows_with_length_and_stays_a_share(new_catalog, for_s):
    shorter = harm(new_catalog, before="А?", after="Так", for_s=for_s, **CUSTOMER_TO_AGENT)
    longer = harm(new_catalog, before="А?", after="Так", for_s=for_s + 5, **CUSTOMER_TO_AGENT)
    assert 0 < shorter < longer < 1


def test_words_and_screens_of_the_moment(catalog):
    shot = {"kind": "image", "start_ms": 25_000, "end_ms": 25_000}
    other = {"kind": "image", "start_ms": 90_000, "end_ms": 90_000}
    catalog.call("c", screens=[{"uri": "now.png", **shot}, {"uri": "later.png", **other}])
    catalog.say("c", "customer", 17, "Когда приедут?")
    catalog.silence("c", 20, 20)
    catalog.say("c", "agent", 39.6, "В среду.")  # the segment starts a little early
    catalog.say("c", "ivr", 45, "Оцените звонок")
    row = catalog.ready().one("FROM silence_alerts")
    assert (row["before_text"], row["after_text"]) == ("Когда приедут?", "В среду.")
    assert [screen["uri"] for screen in row["screens"]] == ["now.png"]


@pytest.mark.parametrize(
    "words",
    ["Алло?", "Алё, вы там?", "Вы меня слышите?", "Чего молчите", "Ви там?", "Hello? Still there?",
     "Are you there", "Halló!", "Вы яшчэ тут?", "Чого мовчите?"],
)  # fmt: skip
def test_asking_whether_anyone_is_there(catalog, words):
    assert catalog.ready().one("SELECT asks_if_anyone_is_there($w) AS asks", w=words)["asks"]


@pytest.mark.parametrize(
    "words", ["Аллочка нашла договор", "Вот, нашла", "Там лампочка горит", "It says hello", ""]
)
def test_not_asking_whether_anyone_is_there(catalog, words):
    assert not catalog.ready().one("SELECT asks_if_anyone_is_there($w) AS asks", w=words)["asks"]


def test_without_a_transcript_dead_air_still_alerts(catalog):
    catalog.call("c", transcript_source=None)
    catalog.silence("c", 20, 31, announced=None, after_question=None, thanked=None)
    row = catalog.ready().one("FROM silence_alerts")
    assert (row["severity"], row["before_text"]) == ("critical", None)
    assert 0 < row["harm"] < 1


@pytest.mark.parametrize(
    ("macro", "words", "holds"),
    [
        ("asks_for_time", "Погоди, салфетку сниму", True),
        ("asks_for_time", "Сейчас, только очки найду", True),
        ("asks_for_time", "Повисіть, я зайду", True),
        ("asks_for_time", "Счакайце, адбяру пульт", True),
        ("asks_for_time", "Kindly wait, I will go and come", True),
        ("asks_for_time", "Várjon, hozom a szemüvegemet", True),
        ("asks_for_time", "Почему не работает?", False),
        ("asks_for_time", "Семьдесят семь, ноль один", False),
        ("consents", "Ну, раз так... давайте.", True),
        ("consents", "Угу.", True),
        ("consents", "Sure, go ahead then", True),
        ("consents", "Хорошо, а сколько ждать?", False),
        ("consents", "Да это уже третий раз за неделю, сколько можно", False),
        ("hands_over", "Снимите питание с коробочки", True),
        ("hands_over", "Какой у вас номер?", True),
        ("hands_over", "Перезавантажте роутер", True),
        ("hands_over", "Please press the green button", True),
        ("hands_over", "Húzza ki a kábelt", True),
        ("hands_over", "Мастера гонять смысла нет, порт живой.", False),
        ("hands_over", "The next slot is on Tuesday.", False),
        ("says_line_is_bad", "Алло, вас не слышно", True),
        ("says_line_is_bad", "Вас погано чути", True),
        ("says_line_is_bad", "I can't hear you", True),
        ("says_line_is_bad", "Слышу вас хорошо", False),
    ],
)
def test_words_around_a_silence(catalog, macro, words, holds):
    (row,) = catalog.ready().all(
        f"SELECT {macro}('{words.replace(chr(39), chr(39) * 2)}') AS holds"
    )
    assert row["holds"] is holds


def test_an_announced_hold_is_an_agreement_until_it_gets_too_long(new_catalog):
    hold = {"kind": "hold_music", "announced": True, **AGENT_TO_CUSTOMER}
    said = {"before": "Пробью по складу.", "after": "Ну что?"}
    short = harm(new_catalog, for_s=40, **said, **hold)
    long = harm(new_catalog, for_s=90, **said, **hold)
    agreed = harm(new_catalog, for_s=90, **(said | {"before": "Хорошо, жду"}), **hold)
    assert short < 0.3 < 0.6 < long
    assert agreed < 0.35


def test_a_customer_who_asked_for_time_waits_for_nobody(new_catalog):
    own = {"before_role": "customer", "after_role": "customer"}
    asked = harm(new_catalog, before="Погоди, я схожу", after="Алло? Вы там?", for_s=90, **own)
    left = harm(new_catalog, before="Семнадцать", after="Алло? Вы там?", for_s=90, **own)
    assert asked < 0.1 < 0.9 < left


def test_a_customer_breaks_the_silence_after_a_statement(new_catalog):
    told = harm(new_catalog, before="Смысла нет.", after="И что теперь?", **AGENT_TO_CUSTOMER)
    asked = harm(new_catalog, before="Выньте вилку.", after="А какую?", **AGENT_TO_CUSTOMER)
    assert asked < 0.2 < 0.5 < told
