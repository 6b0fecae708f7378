"""Search by stem: against a second implementation that reads every segment."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from speechlytics.errors import ConfigError
from speechlytics.phrases import stem_keys
from speechlytics.search import search
from speechlytics.store import Store
from tests.store_calls import analysis

SAID = {
    "a": ["Я вам перезвоню завтра.", "Договор расторгнуть, пожалуйста!"],
    "b": ["Они перезвонят послезавтра", "перезвоните мне завтра утром, «завтра»"],
    "c": ["We will refund you 5 euros", "No refunds."],
    "d": ["", "😀 שלום עולם"],
}
DAYS = {"a": date(2026, 3, 1), "b": date(2026, 3, 2), "c": date(2026, 3, 9), "d": date(2026, 3, 9)}


def spoken(call_id: str):
    made = analysis(call_id, day=DAYS[call_id], segments=2)
    segments = tuple(
        replace(s, text=text, language=None, words=())
        for s, text in zip(made.transcript.segments, SAID[call_id], strict=True)
    )
    return replace(made, transcript=replace(made.transcript, segments=segments))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    made = Store(tmp_path_factory.mktemp("search") / "store")
    with made.writer("run") as writer:
        writer.add([spoken(call_id) for call_id in SAID])
        writer.publish()
    return made


def places(found) -> set[tuple[str, str]]:
    return {(m.call_id, m.text) for m in found}


@pytest.mark.parametrize(
    "words", ["перезвонить", "завтра перезвоню", "договоры", "refunding", "5", "שלום", "нет"]
)
def test_finds_what_reading_everything_finds(store: Store, words: str) -> None:
    wanted = stem_keys(words)
    expected = {
        (call_id, text)
        for call_id, texts in SAID.items()
        for text in texts
        if all(any(keys & want for keys in stem_keys(text)) for want in wanted)
    }
    assert places(search(store, words)) == expected


def test_newest_first_and_limited(store: Store) -> None:
    assert [m.call_id for m in search(store, "перезвоню")] == ["b", "b", "a"]
    assert [m.call_id for m in search(store, "перезвоню", limit=1)] == ["b"]
    assert [m.call_id for m in search(store, "перезвоню", until=date(2026, 3, 1))] == ["a"]
    assert {m.call_id for m in search(store, "перезвоню", since=date(2026, 3, 2))} == {"b"}
    assert {m.role for m in search(store, "перезвоню", role="customer")} == {"customer"}
    assert {m.call_id for m in search(store, "refunded", language="en")} == {"c"}


def test_marks_the_words_and_nothing_beside_them(store: Store) -> None:
    (moment,) = search(store, "завтра перезвоните", until=date(2026, 3, 1))
    assert moment.marked() == "Я вам **перезвоню** **завтра**."
    (other,) = search(store, "мне завтра", role="customer")
    assert other.marked("[", "]") == "перезвоните [мне] [завтра] утром, «[завтра]»"


def test_nothing_to_search_for(store: Store) -> None:
    with pytest.raises(ConfigError, match="no word"):
        search(store, "?!")


def test_macro_finds_the_same_by_a_form_that_was_said(store: Store) -> None:
    with store.connect() as connection:
        rows = connection.execute("SELECT call_id, text FROM search('Перезвоните, завтра')")
        assert set(rows.fetchall()) == places(search(store, "перезвонить завтра"))
        since = "FROM search('перезвонят', since := DATE '2026-03-02') SELECT DISTINCT call_id"
        assert connection.execute(since).fetchall() == [("b",)]
        assert connection.execute("FROM search('неслыханное')").fetchall() == []


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ("«Перезвоните», — завтра?!", {"a", "b"}),
        ("ЗАВТРА_перезвоните/завтра", {"a", "b"}),
        ("'refund', you'", {"c"}),
        ("😀 שלום…", {"d"}),
        ("завтра договор", set()),
        ("?! 😀", set()),
    ],
)
def test_macro_sees_words_in_whatever_is_around_them(
    store: Store, words: str, calls: set[str]
) -> None:
    with store.connect() as connection:
        found = connection.execute("SELECT call_id FROM search($1)", [words]).fetchall()
    assert {call_id for (call_id,) in found} == calls


def test_replaced_and_removed_calls_are_not_found(tmp_path: Path) -> None:
    made = Store(tmp_path / "store")
    with made.writer("one") as writer:
        writer.add([spoken("a"), spoken("b")])
        writer.publish()
    with made.writer("two") as writer:
        other = analysis("b", day=date(2026, 3, 5), text="иначе")
        writer.add([other])
        writer.publish()
    assert [m.call_id for m in search(made, "перезвоню")] == ["a"]
    assert {m.call_id for m in search(made, "иначе")} == {"b"}
    with made.writer("three") as writer:
        writer.remove_calls(["b"])
    assert search(made, "иначе") == []
    left = made.read("postings").to_pylist()
    assert [row["call_id"] for row in left if row["key"] == "#"] == ["a"]
    assert len({row["call_no"] for row in left if row["stem"] is None}) == 1
    assert not {"*иначе", *stem_keys("иначе")[0]} & {row["key"] for row in left}


def test_macro_stops_at_the_newest(store: Store) -> None:
    with store.connect() as connection:
        every = connection.execute("FROM search('завтра')").fetchall()
        assert len(every) == 2
        assert connection.execute("FROM search('завтра', most := 1)").fetchall() == every[:1]
