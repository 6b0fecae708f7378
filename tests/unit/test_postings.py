"""The search index against a second implementation that takes one word after another."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

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


def calls(postings: pa.Table) -> dict[tuple, str]:
    """Calls by day and number."""
    rows = [row for row in postings.to_pylist() if row["key"] == "#"]
    named = {(row["call_date"], row["call_no"]): row["call_id"] for row in rows}
    assert len(named) == len(rows)
    return named


def places(postings: pa.Table) -> list[tuple]:
    rows = [row for row in postings.to_pylist() if row["key"][0] not in "#*"]
    assert {row["stem"] for row in rows} | {row["call_id"] for row in rows} <= {None}
    named = calls(postings)
    return [
        (r["key"], named[r["call_date"], r["call_no"]], r["call_date"], r["segment_id"])
        for r in rows
    ]


def words(postings: pa.Table) -> list[tuple]:
    rows = [row for row in postings.to_pylist() if row["key"][0] == "*"]
    assert {row["call_no"] for row in rows} | {row["call_id"] for row in rows} <= {None}
    return [(r["key"], r["stem"], r["call_date"]) for r in rows]


def expected_places(said=SAID) -> set[tuple]:
    return {
        (stem, call_id, day, number)
        for call_id, day, number, text, language in said
        for _, stems in word_stems(text or "", language)
        for stem in stems
    }


def expected_words(said=SAID) -> set[tuple]:
    return {
        (f"*{word}", stem, day)
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
    silent = postings_of(segments([("c", TUESDAY, 4, " ", "ru"), ("d", TUESDAY, 1, None, None)]))
    assert list(calls(silent).values()) == ["c", "d"]
    assert places(silent) == words(silent) == []


def test_merged_files_hold_each_word_once_and_stay_in_order() -> None:
    monday = [said for said in SAID if said[1] == MONDAY]
    parts = [postings_of(segments([said])) for said in monday]
    merged = pa.concat_tables(in_order(parts))
    assert sorted(places(merged)) == sorted(expected_places(monday))
    assert sorted(words(merged)) == sorted(expected_words(monday))
    assert [p[0] for p in places(merged)] == sorted(p[0] for p in places(merged))


def test_a_call_that_goes_takes_the_words_that_only_it_said() -> None:
    monday = [said for said in SAID if said[1] == MONDAY]
    left = without_calls(postings_of(segments(monday)), pa.array(["a"]))
    others = [said for said in monday if said[0] != "a"]
    assert set(places(left)) == expected_places(others)
    assert set(words(left)) == expected_words(others)


def test_each_kind_of_row_lies_apart_and_all_are_in_order() -> None:
    kinds = in_order([postings_of(segments([said for said in SAID if said[1] == MONDAY]))])
    keys = [row["key"] for kind in kinds for row in kind.to_pylist()]
    assert keys == sorted(keys)
    assert all(len({key[0] if key[0] in "#*" else "" for key in kind}) == 1 for kind in (
        kind.column("key").to_pylist() for kind in kinds
    ))  # fmt: skip


def test_files_that_another_tool_merged_and_mixed_are_read_all_the_same() -> None:
    monday = [said for said in SAID if said[1] == MONDAY]
    whole = pa.concat_tables(
        postings_of(segments([said for said in monday if said[0] == call])) for call in "ab"
    )
    mixed = whole.sort_by([("segment_id", "descending"), ("call_no", "ascending")])
    later = postings_of(segments([("d", MONDAY, 7, "Перезвоните", "ru")]))
    merged = pa.concat_tables(in_order([mixed, later]))
    everything = [*monday, ("d", MONDAY, 7, "Перезвоните", "ru")]
    assert sorted(places(merged)) == sorted(expected_places(everything))
    assert [p[0] for p in places(merged)] == sorted(p[0] for p in places(merged))
    left = without_calls(mixed, pa.array(["b"]))
    assert set(places(left)) == expected_places([said for said in monday if said[0] == "a"])


def test_any_text_is_taken_apart_as_one_word_after_another_is() -> None:
    texts = ["", " ", None, "  да\u00a0нет\n28 ", "ё" * 300, "\U0001f600 a\tb", "да", ""]
    said = [("a", MONDAY, n, text, language) for n, text in enumerate(texts)
            for language in ("ru" if n % 2 else "en",)]  # fmt: skip
    whole = segments(said)
    assert set(places(postings_of(whole))) == expected_places(said)
    parts = pa.concat_tables([whole.slice(0, 3), whole.slice(3)])
    assert places(postings_of(parts.slice(1))) == places(postings_of(segments(said[1:])))
    assert places(postings_of(whole.slice(3, 2))) == places(postings_of(segments(said[3:5])))
