"""Transcripts and verdicts from elsewhere: taken or refused with line and reason, none lost."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable

from speechlytics import nightly
from speechlytics.phrases import PackSet, load_packs
from speechlytics.store import Store, _delta
from speechlytics.store._files import LiveFile

HOUR_S = 3600


def pack(folder: Path, word: str) -> PackSet:
    (folder / "ru").mkdir(parents=True, exist_ok=True)
    (folder / "ru" / "mine.toml").write_text(
        f'[[rule]]\nid = "one-word"\ncategory = "issue_persists"\nlanguage = "ru"\n'
        f'any = ["{word}"]\nmatch = "stem"\nexamples = ["{word}"]\n'
    )
    return load_packs([folder])


def turn(start_s: float, end_s: float, text: str, speaker: str = "customer") -> dict[str, Any]:
    return {"speaker": speaker, "start_s": start_s, "end_s": end_s, "text": text}


def call(call_id: str, *turns: dict[str, Any], **metadata: Any) -> str:
    started = {"started_at": "2026-11-20T10:00:00+03:00", "language": "ru"}
    return json.dumps({"call_id": call_id, **started, **metadata, "turns": turns})


GOOD = call("good", turn(0, 2, "Пропал интернет"), turn(1, 3, "Слушаю", "agent"))
REFUSED = {
    "reversed": (call("reversed", turn(5, 2, "a")), "turn 0: ends at 2000 ms before"),
    "missing": (call("missing", {"speaker": "agent", "text": "a"}), "turn 0: has no start_s"),
    "not a time": (call("x", turn("soon", 2, "a")), "start_s = 'soon'"),
    "negative": (call("x", turn(-1, 2, "a")), "start_s = -1"),
    "no text": (call("x", {"start_s": 0, "end_s": 1}), "text = None"),
    "not JSON": ("{", "not valid JSON"),
    "no turns": ('{"call_id": "x"}', "neither a list 'turns'"),
    "bad start": (call("x", turn(0, 1, "a"), started_at="noon"), "started_at = 'noon'"),
    "same id": (GOOD, "call_id 'good' was used in line 1"),
}


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> PackSet:
    return pack(tmp_path_factory.mktemp("packs"), "интернет")


def take(store: Store, packs: PackSet, *files: Path) -> nightly.Taken:
    key = Path(store.place.root + ".key")
    return nightly.import_transcripts(store, files, packs, nightly.Reading(), key_file=key)


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    with store.connect() as connection:
        return connection.execute(query).fetchall()


def test_what_is_wrong_is_refused_by_line_and_nothing_else_is_lost(
    tmp_path: Path, packs: PackSet
) -> None:
    lines = [GOOD, *(line for line, _ in REFUSED.values()), call("last", turn(0, 1, "да"))]
    (tmp_path / "calls.jsonl").write_text("\n".join(lines))
    (tmp_path / "notes.txt").write_text("no transcript")
    store = Store(tmp_path / "store")
    files = [tmp_path / "none.srt", tmp_path / "calls.jsonl", tmp_path / "notes.txt"]
    taken = take(store, packs, *files)
    assert taken.taken == 2
    missing, *refused, unknown = taken.refused
    assert "none.srt" in missing
    assert "notes.txt" in unknown
    for number, (message, (_, reason)) in enumerate(zip(refused, REFUSED.values(), strict=True), 2):
        assert f"calls.jsonl:{number}" in message
        assert reason in message
    assert rows(store, "SELECT call_id FROM calls ORDER BY 1") == [("good",), ("last",)]


def test_odd_calls_are_taken_as_they_are(tmp_path: Path, packs: PackSet) -> None:
    long = [turn(i * 60, i * 60 + 5, "Интернет пропал") for i in range(10 * 60)]
    odd = [
        call("long", *long),
        call("overlap", turn(0, 10, "раз"), turn(2, 4, "два", "agent"), turn(1, 12, "три")),
        call("whose", turn(0, 1, "кто это", "SPEAKER_07"), turn(1, 2, "я", "")),
        call("emoji", turn(0, 1, "😀👍🏽"), turn(1, 2, "שלום \u202bمرحبا\u202c")),
        call("blank", turn(0, 1, "   ")),
    ]
    (tmp_path / "odd.jsonl").write_text("\n".join(odd))
    store = Store(tmp_path / "store")
    taken = take(store, packs, tmp_path / "odd.jsonl")
    assert (taken.taken, taken.refused) == (5, [])
    measured = {
        call_id: (status, duration, overtalk)
        for call_id, status, duration, overtalk in rows(
            store, "SELECT call_id, status, duration_ms, overtalk_ms FROM calls"
        )
    }
    assert measured["long"] == ("ok", (10 * HOUR_S - 55) * 1000, 0)
    assert measured["overlap"] == ("ok", 12_000, 2000)
    assert measured["whose"] == ("ok", 2000, None), "who spoke over whom is not known"
    assert measured["blank"][0] == "no_speech"
    roles = "SELECT DISTINCT role FROM segments WHERE call_id = 'whose'"
    assert rows(store, roles) == [("unknown",)]
    texts = "SELECT text FROM segments WHERE call_id = 'emoji' ORDER BY segment_id"
    assert rows(store, texts) == [("😀👍🏽",), ("שלום \u202bمرحبا\u202c",)]
    hits = "SELECT count(*) FROM phrase_hits WHERE call_id = 'long'"
    assert rows(store, hits) == [(600,)]


def test_importing_again_replaces(tmp_path: Path, packs: PackSet) -> None:
    store = Store(tmp_path / "store")
    path = tmp_path / "calls.jsonl"
    path.write_text(GOOD)
    take(store, packs, path)
    path.write_text(call("good", turn(0, 1, "Спасибо"), started_at="2026-11-21T10:00:00+03:00"))
    take(store, packs, path)
    stored = "SELECT call_date::VARCHAR, text FROM segments JOIN calls USING (call_id, call_date)"
    assert rows(store, stored) == [("2026-11-21", "Спасибо")]
    assert rows(store, "SELECT count(*) FROM calls") == [(1,)]
    assert rows(store, "SELECT count(*) FROM phrase_hits") == [(0,)]


def test_rescoring_equals_an_import_with_the_new_packs(tmp_path: Path) -> None:
    lines = [GOOD, call("two", turn(0, 2, "Слушаю вас"), turn(8, 9, "да", "agent"))]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(lines))
    old, new = pack(tmp_path / "old", "интернет"), pack(tmp_path / "new", "слушать")
    changed, fresh = Store(tmp_path / "changed"), Store(tmp_path / "fresh")
    take(changed, old, path)
    take(fresh, new, path)
    config = nightly_config()
    changes = nightly.rules_diff(changed, new, config, None)
    assert [(c.rule_id, c.before, c.after, c.gained, c.lost) for c in changes] == [
        ("one-word", 1, 2, ("two",), ())
    ]
    assert nightly.rescore(changed, new, config) == (2, 0)
    assert nightly.rescore(changed, new, config) == (0, 2)
    for table in ("calls", "segments", "silences", "phrase_hits", "postings"):
        columns = "COLUMNS(lambda name: name NOT IN ('run_id', 'customer_key'))"
        query = f"SELECT {columns} FROM {table} ORDER BY ALL"
        assert rows(changed, query) == rows(fresh, query), table


def nightly_config():
    from speechlytics.config import PhrasesConfig

    return PhrasesConfig()


VERDICTS = """\
call_id,verdict,reviewer,reason,note,reviewed_at
good,unresolved,Ann,promise,"said ""later"", hung up",2026-11-21T12:00:00+03:00
other,maybe,Ann,,,
,resolved,Ann,,,
good,resolved,Bob,,,2026-11-21T12:00:00+03:00
"""


def test_verdicts_count_once_however_often_they_are_read(tmp_path: Path, packs: PackSet) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "calls.jsonl").write_text(GOOD)
    take(store, packs, tmp_path / "calls.jsonl")
    table, lines = tmp_path / "verdicts.csv", tmp_path / "verdicts.jsonl"
    table.write_text(VERDICTS)
    given = [
        '{"call_id": "good", "verdict": "unclear", "review_id": "r1", "sample_kind": "random"}',
        "[]",
        "{",
        '{"call_id": "good", "verdict": "unclear", "stars": 5}',
    ]
    lines.write_text("\n".join(given))
    for _ in range(2):
        taken = nightly.import_reviews(store, [table, lines])
        assert taken.taken == 3
        said = "\n".join(taken.refused)
        for where in ("verdicts.csv:3", "verdicts.csv:4", "jsonl:2", "jsonl:3", "jsonl:4"):
            assert where in said
    reviews = "SELECT verdict, reviewer, note, sample_kind FROM reviews ORDER BY verdict"
    assert rows(store, reviews) == [
        ("resolved", "Bob", None, "targeted"),
        ("unclear", None, None, "random"),
        ("unresolved", "Ann", 'said "later", hung up', "targeted"),
    ]


def test_calls_from_before_there_were_postings_become_searchable(
    tmp_path: Path, packs: PackSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    from speechlytics.search import search, unsearchable_days
    from speechlytics.store import _postings

    store, path = Store(tmp_path / "store"), tmp_path / "calls.jsonl"
    path.write_text(GOOD)
    with monkeypatch.context() as before:
        before.setattr(_postings, "with_postings", dict)
        take(store, packs, path)
    assert search(store, "интернет") == []
    ((day,),) = rows(store, "SELECT call_date FROM calls")
    assert unsearchable_days(store) == [day]
    assert nightly.rescore(store, packs, nightly_config()) == (0, 1)
    assert unsearchable_days(store) == []
    assert len(search(store, "интернет")) == 1


def test_postings_of_an_earlier_layout_are_made_anew(tmp_path: Path, packs: PackSet) -> None:
    from speechlytics.search import search, unsearchable_days

    store, path = Store(tmp_path / "store"), tmp_path / "calls.jsonl"
    path.write_text(GOOD)
    take(store, packs, path)
    before = search(store, "интернет")
    ((day,),) = rows(store, "SELECT call_date FROM calls")
    former = former_postings(store, day)
    assert unsearchable_days(store) == [day]
    assert search(store, "интернет") == []
    assert nightly.rescore(store, packs, nightly_config()) == (0, 1)
    assert unsearchable_days(store) == []
    assert search(store, "интернет") == before != []
    with store.writer("erase") as writer:
        writer.purge()
    assert not former.exists()


def former_postings(store: Store, day: date) -> Path:
    """Put postings into a store as its first version had them; where they lie."""
    place = store.place
    columns = {"key": pa.string(), "call_id": pa.string(), "role": pa.string()}
    schema = pa.schema([*columns.items(), ("call_date", pa.date32())])
    name = f"call_date={day}/part-0123abcd-0123abcd.parquet"
    table = pa.Table.from_pylist([{"key": "интернет", "call_id": "good"}], pa.schema(columns))
    pq.write_table(table, place.local(f"postings/{name}"))
    delta = DeltaTable.create(
        place.uri("postings"), schema, mode="overwrite", partition_by=["call_date"]
    )
    file = LiveFile(name, place.local(f"postings/{name}").stat().st_size, 1, str(day))
    version = _delta.commit(place, "postings", [file], [])
    assert [f.name for f in delta.schema().fields] == schema.names
    state = place.read_json("_published.json")
    state["versions"]["postings"] = version
    place.write_json("_published.json", {**state, "schema_version": 1})
    return place.local(f"postings/{name}")
