"""The search index against a second implementation that takes one word after another."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.phrases import word_stems
from speechlytics.schema import POSTINGS, SEGMENTS
from speechlytics.store._postings import in_order, postings_of, without_calls

MONDAY, TUESDAY = date(2026, 3, 2), date(2026, 3, 3)
SAID = [
    ("b", MONDAY, 0, "Я вам перезвоню, перезвоню завтра!", "ru"),
    ("b", MONDAY, 1, "Перезвоните", "ru"),
    ("a", MONDAY, 0, "Refunds, no refund — стали 28", None),
    ("c", TUESDAY, 3, "перезвоните", "ru"),
    ("c", TUESDAY, 4, "", "ru"),
    ("c", TUESDAY, 5, None, None),
]


def segments(said=SAID) -> pa.Table:
    rows = [
        {
            "call_id": call_id, "call_date": day, "segment_id": number, "text": text,
            "language": language, "role": "agent", "start_ms": 1000 * number, "end_ms": 1,
            "channel": 0, "run_id": "run",
        }
        for call_id, day, number, text, language in said
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=SEGMENTS)


def places(postings: pa.Table) -> list[tuple]:
    rows = postings.filter(pc.is_null(postings.column("stem"))).to_pylist()
    return [(r["key"], r["call_id"], r["call_date"], r["segment_id"], r["start_ms"]) for r in rows]


def words(postings: pa.Table) -> list[tuple]:
    rows = postings.filter(pc.is_valid(postings.column("stem"))).to_pylist()
    assert {row["call_id"] for row in rows} <= {""}
    return [(r["key"], r["stem"], r["call_date"]) for r in rows]


def expected_places(said=SAID) -> set[tuple]:
    return {
        (stem, call_id, day, number, 1000 * number)
        for call_id, day, number, text, language in said
        for _, stems in word_stems(text or "", language)
        for stem in stems
    }


def expected_words(said=SAID) -> set[tuple]:
    return {
        (f"={word}", stem, day)
        for _, day, _, text, language in said
        for word, stems in word_stems(text or "", language)
        for stem in stems
    }


def test_every_stem_once_a_segment_and_every_word_once_a_day() -> None:
    made = postings_of(segments())
    assert made.schema.equals(POSTINGS)
    assert len(places(made)) == len(set(places(made)))
    assert set(places(made)) == expected_places()
    assert len(words(made)) == len(set(words(made)))
    assert set(words(made)) == expected_words()
    assert [p[0] for p in places(made)] == sorted(p[0] for p in places(made))


def test_nothing_said() -> None:
    assert postings_of(segments([])).num_rows == 0
    assert postings_of(segments([("c", TUESDAY, 4, " ", "ru")])).num_rows == 0


def test_merged_files_hold_each_word_once_and_stay_in_order() -> None:
    monday = [said for said in SAID if said[1] == MONDAY]
    parts = [postings_of(segments([said])) for said in monday]
    merged = in_order(parts)
    assert sorted(places(merged)) == sorted(expected_places(monday))
    assert sorted(words(merged)) == sorted(expected_words(monday))
    assert [p[0] for p in places(merged)] == sorted(p[0] for p in places(merged))


def test_a_call_that_goes_takes_the_words_that_only_it_said() -> None:
    monday = [said for said in SAID if said[1] == MONDAY]
    left = without_calls(postings_of(segments(monday)), pa.array(["a"]))
    others = [said for said in monday if said[0] != "a"]
    assert set(places(left)) == expected_places(others)
    assert set(words(left)) == expected_words(others)
