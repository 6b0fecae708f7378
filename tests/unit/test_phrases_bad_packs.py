"""Wrong packs: each gives an error that names file, rule and key, and nothing hangs."""

from __future__ import annotations

from pathlib import Path

import pytest

from speechlytics.errors import RuleError
from speechlytics.phrases import Matcher, check, load_packs
from speechlytics.records import Segment

GOOD = '[[rule]]\nid = "good"\ncategory = "c"\nany = ["договор"]\n'

CYCLE = """
[[rule]]
id = "a"
category = "x"
any = ["да"]
after = "b"
[[rule]]
id = "b"
category = "y"
any = ["нет"]
after = "a"
"""


def write(tmp_path: Path, body: str) -> Path:
    (tmp_path / "ru").mkdir(exist_ok=True)
    (tmp_path / "ru" / "own.toml").write_text(body, encoding="utf-8")
    return tmp_path


def one(body: str) -> str:
    return f'[[rule]]\nid = "r"\ncategory = "c"\n{body}\n'


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (one('any = ["?!"]'), ["rule 'r'", "any", "no word"]),
        (one("any = []"), ["rule 'r'", "any", "no phrase"]),
        (one('any = ["а б в"]\nwithin_words = 2'), ["rule 'r'", "within_words"]),
        (one('any = ["да"]\nfirst_ms = 0'), ["first_ms", "empty window"]),
        (one('any = ["да"]\nlast_pct = 120.0'), ["last_pct", "120.0"]),
        (one('any = ["да"]\nfirst_pct = 10.0\nlast_pct = 10.0'), ["no common part"]),
        (one('any = ["да"]\nbefore = "call_start"'), ["before", "call start"]),
        (one('any = ["да"]\nafter = "nobody"'), ["after", "nobody"]),
        (one('any = ["да"]\nafter = { silence_s = 3.0, call_start = true }'), ["exactly one"]),
        (one('any = ["да", "да"]'), ["twice"]),
        (one('any = ["@missing"]'), ["@missing", "[words]"]),
        (one('any = ["а*"]'), ["too short"]),
        (one('any = ["%VERB+1st"]'), ["%VERB+1st", "1st", "grammeme"]),
        (one('any = ["%VERB"]\nlanguage = "en"'), ["%VERB", "ru and uk"]),
        (one('any = ["что-то|это"]'), ["single words"]),
        (one('any = ["да"]\nlanguage = "xx"'), ["language", "'xx'"]),
        (one('any = ["да"]\nmatch = "regex"'), ["rule 'r'", "regex"]),
        (one('any = ["да"]\nweigth = 1'), ["weigth", "docs/rules.md"]),
        (one('any = "(a+)+$"'), ["rule 'r'"]),
        (one('any = ["да"]') + one('any = ["нет"]'), ["rule 'r'", "id", "already"]),
        ('[[rule]]\nid = "r', ["not valid TOML"]),
        ("rules = []", ["rules"]),
        (CYCLE, ["wait for each other", "a", "b"]),
        (one('any = ["да"]\nafter = { category = "c" }'), ["wait for each other"]),
    ],
)
def test_a_wrong_rule_is_named(tmp_path: Path, body: str, words: list[str]) -> None:
    folder = write(tmp_path, body)
    with pytest.raises(RuleError) as caught:
        load_packs([folder])
    for word in ["own.toml", *words]:
        assert word in str(caught.value)


def test_check_reports_every_problem_and_tries_the_rest(tmp_path: Path) -> None:
    body = one('any = ["?"]') + GOOD + 'examples = ["тариф"]\ncounter_examples = ["договору"]\n'
    problems = check(write(tmp_path, body))
    assert [(p.rule, p.key) for p in problems] == [
        ("r", "any"),
        ("good", "examples"),
        ("good", "counter_examples"),
    ]


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="holds no phrase pack"):
        load_packs([tmp_path])


def test_a_regex_is_only_words(tmp_path: Path) -> None:
    """No pack text ever becomes a regular expression, so none can run away."""
    packs = load_packs([write(tmp_path, one('any = ["(x+x+)+y договор"]'))])
    text = "x" * 50_000 + " договор"
    segment = Segment(0, 0, "customer", 0, 1000, text)
    assert Matcher(packs).match([segment], duration_ms=1000, language="ru") == ()


def test_ten_thousand_phrases_load_and_match(tmp_path: Path) -> None:
    phrases = ", ".join(f'"слово{i} договор{i % 97}"' for i in range(10_000))
    packs = load_packs([write(tmp_path, one(f'any = [{phrases}]\nmatch = "exact"'))])
    text = " ".join(["слово9999 договор8", "просто слова"] * 50)
    segment = Segment(0, 0, "customer", 0, 60_000, text)
    assert Matcher(packs).match([segment], duration_ms=60_000, language="ru")


def test_odd_transcripts_are_taken(tmp_path: Path) -> None:
    matcher = Matcher(load_packs([write(tmp_path, GOOD)]))
    segments = [
        Segment(0, 0, "customer", 900, 100, "договор 😀 שלום"),
        Segment(1, 0, "customer", 0, 0, ""),
        Segment(2, 1, "agent", 50, 36_000_000, "… — !!"),
    ]
    assert len(matcher.match(segments, duration_ms=36_000_000, language="ru")) == 1
