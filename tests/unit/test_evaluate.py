"""Figures on labelled calls: perfect where everything was found, worse where it was not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from speechlytics.errors import ConfigError, ImportRefused
from speechlytics.evaluate import evaluate, read_truth, tables_of
from speechlytics.evaluate._tallies import turn_of
from speechlytics.evaluate._truth import TrueTurn
from speechlytics.records import Interval, PhraseHit
from speechlytics.transcripts import read_transcripts, to_analysis

DIALOGUES = Path(__file__).parents[1] / "data" / "dialogues" / "calls.jsonl"
LANGUAGES = ("ru", "en")


@pytest.fixture(scope="module")
def truth():
    return tuple(call for call in read_truth(DIALOGUES) if call.language in LANGUAGES)[:24]


@pytest.fixture(scope="module")
def analyses(truth):
    """The labelled calls with the labelled phrases as hits: what a perfect matcher would find."""
    by_id = {call.call_id: call for call in truth}
    found = []
    for call in read_transcripts(DIALOGUES):
        labelled = by_id.get(call.call_id)
        if labelled is None:
            continue
        by_turn = dict(zip(call.turns, call.segments, strict=True))
        hits = [
            PhraseHit(
                f"rule-{category}", category, s.role, s.segment_id, s.start_ms, s.end_ms, s.text,
                "exact", 100.0, "pack", "sha",
            )
            for category, turns in labelled.phrases.hits
            for s in (by_turn[min(turns)],)
        ]  # fmt: skip
        analysis = to_analysis(call, zone="Europe/Moscow", customer_key=str)
        found.append(replace(analysis, hits=tuple(hits)))
    return found


@pytest.fixture(scope="module")
def perfect(truth, analyses):
    return evaluate(truth, tables_of(analyses))


def test_perfect_hits_give_perfect_figures(perfect, truth):
    assert perfect.calls == len(truth)
    assert perfect.missing == ()
    for group in ("phrases", "silences"):
        for name in ("precision", "recall", "F1"):
            assert perfect.value(group, name) == 1, (group, name)
    assert perfect.value("phrases", "distractors fired") == 0
    assert perfect.value("words", "WER") == perfect.value("words", "CER") == 0
    assert perfect.value("silences", "median boundary error, ms") == 0


def test_ranking_is_far_better_than_chance_even_without_thanks(perfect, truth):
    share = sum(call.unresolved for call in truth) / len(truth)
    with_thanks = perfect.value("unresolved", "average precision")
    without = perfect.value("unresolved without thanks", "average precision")
    assert share < 0.6
    assert with_thanks > 0.9
    assert without > 0.8


def test_every_figure_lies_in_its_interval_and_each_language_has_its_own(perfect):
    assert {f.language for f in perfect.figures} == {"all", *LANGUAGES}
    for figure in perfect.figures:
        if figure.low is not None:
            assert figure.low <= figure.value + 1e-9, figure
            assert figure.value <= figure.high + 1e-9, figure


def test_lost_hits_cost_recall_and_wrong_ones_precision(truth, analyses):
    lost = [replace(a, hits=a.hits[::2]) for a in analyses]
    report = evaluate(truth, tables_of(lost))
    assert report.value("phrases", "recall") < 0.8
    assert report.value("phrases", "precision") == 1

    def everywhere(analysis):
        hit = analysis.hits[0] if analysis.hits else None
        segments = analysis.transcript.segments
        return tuple(
            replace(hit, segment_id=s.segment_id, role=s.role, start_ms=s.start_ms, end_ms=s.end_ms)
            for s in segments
            if hit
        )

    wrong = [replace(a, hits=(*a.hits, *everywhere(a))) for a in analyses]
    report = evaluate(truth, tables_of(wrong))
    assert report.value("phrases", "recall") == 1
    assert report.value("phrases", "precision") < 0.6


def test_shifted_silences_are_not_the_labelled_ones(truth, analyses):
    def shifted(analysis):
        moved = tuple(
            replace(s, start_ms=s.start_ms + 4000, end_ms=s.end_ms + 4000)
            for s in analysis.activity.silences
        )
        return replace(analysis, activity=replace(analysis.activity, silences=moved))

    report = evaluate(truth, tables_of([shifted(a) for a in analyses]))
    assert report.value("silences", "recall") < 0.7


def test_report_is_json_and_tables(perfect):
    content = json.loads(perfect.to_json())
    assert content["calls"] == perfect.calls
    assert len(content["figures"]) == len(perfect.figures)
    plain, detailed = (list(perfect.tables(detail=d)) for d in (False, True))
    assert len(plain) == 1 + len(LANGUAGES)
    assert plain[0].row_count < detailed[0].row_count


def test_calls_that_are_not_there(truth, analyses):
    report = evaluate(truth, tables_of(analyses[1:]))
    assert report.missing == (analyses[0].recording.call_id,)
    with pytest.raises(ConfigError, match="none of the 24 labelled calls"):
        evaluate(truth, tables_of([]))


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", ":1: not valid JSON"), ("[]", ":1: expected an object"),
     ('{"call_id": "a", "turns": [{"start_s": 1}]}', ":1: not a labelled call")],
)  # fmt: skip
def test_bad_truth(tmp_path, text, reason):
    path = tmp_path / "truth.jsonl"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ImportRefused, match=reason):
        read_truth(path)


def test_a_hit_belongs_to_the_turn_of_its_role_that_it_overlaps_most():
    turns = [
        TrueTurn("agent", Interval(0, 1000), "a"),
        TrueTurn("customer", Interval(900, 2000), "b"),
        TrueTurn("agent", Interval(2000, 4000), "c"),
    ]
    assert turn_of("agent", Interval(900, 2500), turns) == 2
    assert turn_of("customer", Interval(0, 100), turns) == 1
    assert turn_of("unknown", Interval(950, 1900), turns) == 1
    assert turn_of("ivr", Interval(0, 100), turns) is None


def test_every_figure_that_a_reviewer_asks_for_is_there_by_language_with_its_interval(perfect):
    """Build list of evaluation: one row per figure and language, in JSON as in the tables."""
    rows = json.loads(perfect.to_json())["figures"]
    shares = {
        ("phrases", "precision"), ("phrases", "recall"), ("phrases", "distractors fired"),
        ("rules", "precision"), ("silences", "precision"), ("silences", "recall"),
        ("hold music", "recall"), ("words", "WER"), ("words", "CER"),
        ("unresolved", "precision"), ("unresolved", "recall"),
        ("unresolved without thanks", "precision"), ("repeat contact", "F1"),
        ("topics", "main topic right"),
    }  # fmt: skip
    ranks = {
        ("unresolved", "average precision"), ("unresolved", "precision at 10"),
        ("unresolved without thanks", "average precision"),
        ("harmful silences", "average precision"),
    }  # fmt: skip
    for language in ("all", *LANGUAGES):
        found = {(r["group"], r["name"]) for r in rows if r["language"] == language}
        assert shares <= found, language
        # a language with too few calls has no "precision at 10"
        assert (
            ranks if language == "all" else ranks - {("unresolved", "precision at 10")}
        ) <= found
    for row in rows:
        if row["language"] == "all" and not row["of"] and row["value"] is not None:
            assert row["low"] is not None, row
    shown = next(iter(perfect.tables()))
    assert {f"{group} {name}" for group, name in shares | ranks if group != "rules"} <= {
        f"{what} {measure}"
        for what, measure in zip(shown.columns[0].cells, shown.columns[1].cells, strict=True)
    }


def test_a_call_about_nothing_that_we_name_is_no_wrong_topic(truth, analyses):
    named = evaluate(truth, tables_of(analyses))
    odd = [replace(call, topics=frozenset({"complaint", "delivery"})) for call in truth]
    assert evaluate(odd, tables_of(analyses)).value("topics", "main topic right") is None
    assert named.value("topics", "main topic right") is not None
