"""The rule language, key by key, on small packs written here."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechlytics.phrases import Matcher, is_question, load_packs, stem_keys, test_text
from speechlytics.records import PhraseHit, Segment, Silence, Word

try_text = test_text
try_text.__test__ = False
del test_text


def pack(tmp_path: Path, body: str, language: str = "ru") -> Path:
    folder = tmp_path / "packs"
    (folder / language).mkdir(parents=True, exist_ok=True)
    (folder / language / "own.toml").write_text(body, encoding="utf-8")
    return folder


def rule(body: str, *, role: str = "any") -> str:
    return f'[[rule]]\nid = "r"\ncategory = "c"\nrole = "{role}"\n{body}\n'


def hits(tmp_path: Path, body: str, text: str, language: str = "ru") -> list[PhraseHit]:
    packs = load_packs([pack(tmp_path, body, language)])
    return [hit for hit in try_text(packs, text, language=language) if hit.rule_id == "r"]


@pytest.mark.parametrize(
    ("language", "phrase", "text", "fires"),
    [
        ("ru", "не решили", "вы так и не решили вопрос", True),
        ("ru", "не решили", "вы решили вопрос", False),
        ("ru", "вопрос решён", "вопрос не решён", False),
        ("ru", "получается", "у меня не очень получается", False),
        ("ru", "переносить номер", "я не буду переносить номер", False),
        ("ru", "переносить номер", "номер переносить буду", True),
        ("ru", "заработало", "не, заработало", True),
        ("ru", "позвать старшего", "не могли бы вы позвать старшего", True),
        ("ru", "долг", "недолго осталось", False),
        ("ru", "подключить услугу", "отключить услугу", False),
        ("ru", "расторгнуть договор", "договор расторгнем", True),
        ("ru", "ещё вопросы", "Еще вопросы", True),
        ("ru", "третий раз", "3 раз звоню", True),
        ("ru", "двадцать восемь дней", "28 дней", True),
        ("ru", "толку ноль", "толку 0", True),
        ("ru", "не %VERB+1per", "карту я не перепривяжу", True),
        ("ru", "%VERB+1per+futr карту", "сейчас перепривяжу карту", True),
        ("ru", "%VERB+1per+futr карту", "карту я не перепривяжу", False),
        ("ru", "%VERB+1per+futr карту", "карту перепривязала", False),
        ("uk", "%VERB+1per картку", "зараз відкрию картку", True),
        ("ru", "менеджер перезвонит", "манеджер перезвонит", True),
        ("uk", "п'ять хвилин", "дайте п’ять хвилин", True),
        ("uk", "зв'яжемося", "ми звʼяжемося", True),
        ("en", "can not help", "I can't help", True),
        ("en", "help you", "I cannot help you", False),
        ("en", "cancel", "I'm not going to cancel", False),
        ("en", "call you", "you call", False),
        ("hu", "működik", "nem működik", False),
        ("hu", "főnökét", "kérem a fönökét", True),
        ("be", "не працуе", "тэлефон не працуе", True),
        ("be", "працуе", "тэлефон не працуе", False),
        # words that a recogniser splits, joins or garbles
        ("ru", "запустить тест", "сейчас за пущу тест", True),
        ("ru", "=вернув", "я верну в магазин", False),
        ("ru", "=смогли", "смог ли он", False),
        ("ru", "перезвоните мне", "алло перезвонитемне завтра", True),
        ("ru", "не работает", "он неработает", True),
        ("ru", "работает", "он неработает", False),
        ("ru", "решить", "нерешительный он", False),
        ("en", "=supervisor", "get me a super visor", True),
        ("en", "=how", "it works however", False),
        ("hu", "=levonjuk", "azt levon juk a számláról", True),
        ("hu", "=visszahívjuk", "holnap viszahívjuk önt", True),
        ("hu", "=keresek", "azon a számon keresnek", False),
    ],
)
def test_words_negation_and_numerals(
    tmp_path: Path, language: str, phrase: str, text: str, fires: bool
) -> None:
    assert bool(hits(tmp_path, rule(f'any = ["{phrase}"]'), text, language)) is fires


def test_a_phrase_runs_on_over_the_others_backchannel(tmp_path: Path) -> None:
    body = rule('any = ["переношу номер завтра"]', role="customer")
    over_backchannel = "customer: я завтра\nagent: угу, слушаю\ncustomer: переношу номер"
    assert hits(tmp_path, body, over_backchannel)
    over_an_answer = (
        "customer: я завтра\nagent: назовите адрес, фамилию и номер договора\n"
        "customer: переношу номер"
    )
    assert not hits(tmp_path, body, over_an_answer)


def test_all_within_words_and_none(tmp_path: Path) -> None:
    body = rule('all = ["работает", "спасибо"]\nwithin_words = 5\nnone = ["но плохо"]')
    assert hits(tmp_path, body, "О, работает. Спасибо!")
    assert not hits(tmp_path, body, "работает раз два три четыре пять спасибо")
    assert not hits(tmp_path, body, "Работает. Спасибо, но плохо.")


def test_except_reaches_a_few_words_where_no_full_stop_is_written(tmp_path: Path) -> None:
    body = rule('any = ["спасибо"]\nexcept = ["не надо"]')
    assert not hits(tmp_path, body, "спасибо мне больше ничего не надо")
    assert hits(tmp_path, body, "спасибо " + "и вот что ещё " * 3 + "не надо")


def test_the_quote_of_a_split_word_is_whole(tmp_path: Path) -> None:
    (hit,) = hits(tmp_path, rule('any = ["запустить"]'), "сейчас за пущу тест")
    assert (hit.matched_text, hit.match_kind) == ("за пущу", "fuzzy")
    assert hit.score < 100


def test_except_spares_a_sentence(tmp_path: Path) -> None:
    body = rule('any = ["спасибо"]\nexcept = ["спасибо не надо"]')
    assert not hits(tmp_path, body, "Спасибо, не надо.")
    assert hits(tmp_path, body, "Спасибо. Не надо больше звонить.")


@pytest.mark.parametrize(
    ("condition", "dialogue", "fires"),
    [
        ('after = "other"', "agent: минутку\ncustomer: алло", True),
        ('after = "other"', "customer: алло\nagent: минутку", False),
        ('after = { category = "wait", within_ms = 1000 }', "agent: минутку\ncustomer: алло", True),
        (
            'after = { category = "wait", within_ms = 1000 }',
            "agent: минутку\n[silence 5]\ncustomer: алло",
            False,
        ),
        ("after = { silence_s = 5 }", "agent: да\n[silence 6]\ncustomer: алло", True),
        ("after = { silence_s = 5 }", "agent: да\n[silence 3]\ncustomer: алло", False),
        ("before = { silence_s = 5 }", "customer: алло\n[silence 6]\nagent: да", True),
        ('not_after = "other"', "agent: минутку\ncustomer: алло", False),
        ('not_after = "other"', "customer: алло", True),
        ("after = { call_start = true, within_ms = 500 }", "customer: алло", True),
        ("after = { call_start = true, within_ms = 500 }", "[silence 3]\ncustomer: алло", False),
        ("before = { call_end = true, within_ms = 500 }", "customer: алло", True),
        ("first_ms = 1000", "[silence 2]\ncustomer: алло", False),
        ("last_ms = 1000", "customer: алло\n[silence 2]", False),
        ("first_pct = 50", "[silence 9]\ncustomer: алло", False),
        ("last_pct = 50", "[silence 9]\ncustomer: алло", True),
        ("question = true", "customer: алло?", True),
        ("question = true", "customer: алло.", False),
        ("question = false", "customer: алло?", False),
    ],
)
def test_conditions(tmp_path: Path, condition: str, dialogue: str, fires: bool) -> None:
    other = '[[rule]]\nid = "other"\ncategory = "wait"\nany = ["минутку"]\nemit = false\n'
    body = rule(f'any = ["алло"]\n{condition}', role="customer") + other
    packs = load_packs([pack(tmp_path, body)])
    found = try_text(packs, dialogue, language="ru")
    assert [hit.rule_id for hit in found] == (["r"] if fires else [])


def test_unknown_roles_need_any_role_ok(tmp_path: Path) -> None:
    text = "unknown: позовите старшего"
    assert not hits(tmp_path, rule('any = ["старшего"]', role="customer"), text)
    body = rule('any = ["старшего"]\nany_role_ok = true', role="customer")
    assert hits(tmp_path, body, text)[0].role == "unknown"


def test_match_modes(tmp_path: Path) -> None:
    assert not hits(tmp_path, rule('any = ["договор"]\nmatch = "exact"'), "договора")
    assert hits(tmp_path, rule('any = ["договор"]\nmatch = "stem"'), "договора")[0].score == 100
    assert not hits(tmp_path, rule('any = ["менеджер"]\nmatch = "stem"'), "манеджер")
    fuzzy = hits(tmp_path, rule('any = ["менеджер"]'), "манеджер")[0]
    assert (fuzzy.match_kind, fuzzy.score < 100) == ("fuzzy", True)


def test_word_lists_prefixes_and_gaps(tmp_path: Path) -> None:
    body = '[words]\nboss = ["руководител*", "начальник*"]\n' + rule(
        'any = ["дайте ... @boss", "=обещаю"]'
    )
    assert hits(tmp_path, body, "дайте мне уже вашего самого главного начальника")
    assert hits(tmp_path, body, "я обещаю")
    assert not hits(tmp_path, body, "вы обещали")


def test_times_and_text_come_from_words(tmp_path: Path) -> None:
    words = tuple(
        Word(f" {text}", start, start + 100)
        for text, start in (("Так,", 0), ("расторгну", 500), ("договор.", 900))
    )
    segment = Segment(7, 0, "customer", 0, 1000, "Так, расторгну договор.", words=words)
    matcher = Matcher(load_packs([pack(tmp_path, rule('any = ["расторгнуть договор"]'))]))
    (hit,) = matcher.match([segment], duration_ms=1000, language="ru")
    assert (hit.segment_id, hit.start_ms, hit.end_ms) == (7, 500, 1000)
    assert hit.matched_text == "расторгну договор"
    assert hit.match_kind == "stem"


def test_invented_segments_are_passed_over(tmp_path: Path) -> None:
    matcher = Matcher(load_packs([pack(tmp_path, rule('any = ["договор"]'))]))
    invented = Segment(0, 0, "agent", 0, 900, "договор", suspect="over_non_talk")
    assert matcher.match([invented], duration_ms=900, language="ru") == ()


def test_ukrainian_and_belarusian_calls_hear_russian_packs(tmp_path: Path) -> None:
    packs = load_packs([pack(tmp_path, rule('any = ["расторгнуть договор"]'))])
    for language in ("uk", "be", "be-ru", None):
        assert try_text(packs, "хачу расторгнуть договор", language=language)
    assert not try_text(packs, "хочу расторгнуть договор", language="hu")


def test_silences_are_given_in_records(tmp_path: Path) -> None:
    matcher = Matcher(
        load_packs([pack(tmp_path, rule('any = ["алло"]\nafter = { silence_s = 10 }'))])
    )
    segment = Segment(0, 0, "customer", 20_000, 21_000, "Алло?")
    silence = Silence(5_000, 19_000, "silence", "inner", "agent", "customer")
    assert matcher.match([segment], duration_ms=22_000, silences=[silence], language="ru")
    assert not matcher.match([segment], duration_ms=22_000, language="ru")


@pytest.mark.parametrize(
    ("text", "language", "asks"),
    [
        ("Когда приедет мастер?", "ru", True),
        ("когда приедет мастер", "ru", True),
        ("а вы когда приедете", "ru", True),
        ("есть ли у вас роуминг", "ru", True),
        ("как только узнаю сообщу", "ru", False),
        ("интернет не работает", "ru", False),
        ("Подскажите, какой у меня тариф.", "ru", True),
        ("коли прийде майстер", "uk", True),
        ("калі прыйдзе майстар", "be", True),
        ("can you help me", "en", True),
        ("the internet is down", "en", False),
        ("működik-e a net", "hu", True),
        ("azt sem tudom hogy működik e", "hu", True),
        ("küldök egy e-mailt a címére", "hu", False),
        ("az e mail címét felírtam", "hu", False),
        ("az e-számla megérkezett", "hu", False),
        ("megjött-e az e-mail", "hu", True),
        ("mikor jön a szerelő", "hu", True),
    ],
)
def test_questions(text: str, language: str, asks: bool) -> None:
    assert is_question(text, language) is asks


def test_stem_keys_meet() -> None:
    said, asked = stem_keys("вернули деньги", "ru"), stem_keys("вернуть денег", "ru")
    assert all(a & b for a, b in zip(said, asked, strict=True))
    assert stem_keys("28", "hu")[0] >= {"28", "huszonnyolc"}
    assert stem_keys("", "ru") == []
