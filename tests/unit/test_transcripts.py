"""Transcripts from elsewhere: what is read, what is refused and how, and nothing else lost."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from speechlytics.errors import ImportRefused
from speechlytics.records import Interval, Segment
from speechlytics.transcripts import (
    activity_from_turns,
    read_transcripts,
    silences_from_turns,
    to_analysis,
)

DIALOGUES = Path(__file__).parents[1] / "data" / "dialogues" / "calls.jsonl"


def turn(speaker="agent", start=0.0, end=1.0, text="Да"):
    return {"speaker": speaker, "start_s": start, "end_s": end, "text": text}


def write(path, *rows):
    path.write_text(
        "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows),
        encoding="utf-8",
    )
    return path


def read(path, **options):
    return list(read_transcripts(path, **options))


def test_labelled_calls_come_in_without_their_labels():
    calls = read(DIALOGUES)
    assert len(calls) == 52
    first = calls[0]
    assert first.call_id == "HC0004"
    assert first.duration_ms == 111_780
    assert first.segments[2].text.startswith("Добрый вечер. У меня")
    assert [s.role for s in first.segments[:3]] == ["ivr", "agent", "customer"]
    for call in calls:
        analysis = to_analysis(call, zone="Europe/Moscow", customer_key=lambda _: "key")
        assert "labels" not in (analysis.recording.extra or "")
        assert analysis.recording.customer_key == "key"
        assert analysis.status == "ok"


def test_silences_of_labelled_calls_are_found_where_they_were_labelled():
    raw = [json.loads(line) for line in DIALOGUES.read_text(encoding="utf-8").splitlines()]
    for call, row in zip(read(DIALOGUES), raw, strict=True):
        found = {
            (s.start_ms, s.end_ms): s.kind
            for s in silences_from_turns(call.segments, call.duration_ms, call.spans)
        }
        for silence in row["silences"]:
            span = (round(silence["start_s"] * 1000), round(silence["end_s"] * 1000))
            music = silence["kind"] == "hold_music"
            assert found[span] == ("hold_music" if music else "silence")


def test_metadata_reaches_the_record(tmp_path):
    row = {
        "call_id": 17, "started_at": "2026-10-02T00:30:00", "wait_s": 2.5, "csat": 4,
        "transferred": True, "customer_id": "+375", "crm": {"ticket": 5}, "turns": [turn()],
    }  # fmt: skip
    (call,) = read(write(tmp_path / "a.jsonl", row))
    recording = to_analysis(call, zone="Europe/Moscow", customer_key=str.upper).recording
    assert recording.call_id == "17"
    assert recording.call_date == date(2026, 10, 2)
    assert recording.started_at.utcoffset().total_seconds() == 3 * 3600
    assert recording.wait_ms == 2500
    assert recording.transferred_from == "unknown"
    assert json.loads(recording.extra) == {"crm": {"ticket": 5}}


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("{", "not valid JSON"),
        ("[1]", "expected an object, found list"),
        ("[" * 100_000, "not valid JSON"),
        ({"call_id": "x"}, "neither a list 'turns'"),
        ({"turns": [turn(end=-1)]}, "not a time inside a call"),
        ({"turns": [turn(start=5, end=4)]}, "before it starts"),
        ({"turns": [turn(start=None)]}, "turn 0: has no start_s"),
        ({"turns": [turn(), turn(text=None)]}, "turn 1: text = None"),
        ({"turns": ["Да"]}, "turn 0: expected an object"),
        ({"turns": [turn(end=True)]}, "not a finite number"),
        ('{"turns": [{"text": "a", "start_s": NaN, "end_s": 1}]}', "not a finite number"),
        ({"turns": [turn(end=1e12)]}, "not a time inside a call"),
        ({"turns": [turn()], "silences": [{"kind": "noise"}]}, "kind = 'noise'"),
        ({"turns": [turn()], "started_at": "yesterday"}, "not an ISO 8601 time"),
        ({"turns": [turn()], "started_at": 5}, "not an ISO 8601 time"),
        ({"turns": [turn()], "csat": "good"}, "csat = 'good'"),
        ({"turns": [turn()], "language": 5}, "language = 5"),
        ({"call_id": "good-1", "turns": [turn()]}, "was used in line 1"),
    ],
)
def test_bad_line_is_refused_with_line_and_reason_and_others_come_in(tmp_path, bad, reason):
    good = [{"call_id": f"good-{n}", "turns": [turn()]} for n in (1, 2)]
    path = write(tmp_path / "calls.jsonl", good[0], "", bad, good[1])
    first, refused, last = read(path)
    assert (first.call_id, last.call_id) == ("good-1", "good-2")
    assert isinstance(refused, ImportRefused)
    assert f"{path}:3" in str(refused)
    assert reason in str(refused)


def test_odd_but_possible_calls_are_taken(tmp_path):
    ten_hours = [turn(("agent", "customer")[n % 2], n, n + 1) for n in range(36_000)]
    rows = [
        {"call_id": "overlap", "turns": [turn(end=9), turn("customer", 1, 2)]},
        {"call_id": "unsorted", "turns": [turn(start=5, end=6), turn("customer")]},
        {"call_id": "who", "turns": [turn("Жанна"), turn(None), turn(7)]},
        {"call_id": "emoji", "turns": [turn(text="👍 \u202eשלום")]},
        {"call_id": "silent", "turns": []},
        {"call_id": "long", "turns": ten_hours},
    ]
    calls = {call.call_id: call for call in read(write(tmp_path / "a.jsonl", *rows))}
    assert len(calls) == len(rows)
    assert calls["unsorted"].turns == (1, 0)
    assert {s.role for s in calls["who"].segments} == {"unknown"}
    assert calls["long"].duration_ms == 36_000_000
    silent = to_analysis(calls["silent"], zone="UTC", customer_key=str)
    assert silent.status == "no_speech"


def test_whisper_tools(tmp_path):
    content = {
        "language": "en",
        "segments": [
            {"start": 0, "end": 2, "text": " Hello.", "speaker": "SPEAKER_00", "avg_logprob": -0.2,
             "words": [{"word": " Hello", "start": 0.1, "end": 0.9, "score": 0.8}, {"word": "17"}]},
        ],
    }  # fmt: skip
    path = tmp_path / "call-7.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    (call,) = read(path, speakers={"SPEAKER_00": "customer"})
    (segment,) = call.segments
    assert (call.call_id, call.language, segment.role) == ("call-7", "en", "customer")
    assert (segment.text, segment.avg_logprob) == ("Hello.", -0.2)
    assert [(w.word, w.start_ms, w.probability) for w in segment.words] == [("Hello", 100, 0.8)]


CAPTIONS = """WEBVTT

1
00:00:01.000 --> 00:00:03.500 align:start
<v Agent>Чем могу <b>помочь</b>?</v>

00:00:04.000 --> 01:00:05.000
Клиент: Пишет: нет сети

00:00:06.000 --> 00:00:07.000
И вчера тоже
"""


@pytest.mark.parametrize("suffix", [".vtt", ".srt"])
def test_captions(tmp_path, suffix):
    path = tmp_path / f"talk{suffix}"
    path.write_text(CAPTIONS.replace(".", "," if suffix == ".srt" else "."), encoding="utf-8")
    (call,) = read(path)
    assert [(s.role, s.start_ms, s.end_ms, s.text) for s in call.segments] == [
        ("agent", 1000, 3500, "Чем могу помочь?"),
        ("customer", 4000, 3_605_000, "Пишет: нет сети"),
        ("customer", 6000, 7000, "И вчера тоже"),
    ]


def test_captions_refused(tmp_path):
    for text, reason in (("", "no cue"), ("1\n00:01 --> later\nA", "not a time range")):
        path = tmp_path / "bad.srt"
        path.write_text(text, encoding="utf-8")
        (refused,) = read(path)
        assert reason in str(refused)


def test_files_that_are_no_transcript(tmp_path):
    for name, content in (("a.docx", b""), ("b.jsonl", b"\xff\xfe\x00"), ("missing.jsonl", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ImportRefused, match=name):
            read_transcripts(tmp_path / name)


segments = st.lists(
    st.tuples(
        st.integers(0, 50_000), st.integers(0, 20_000), st.sampled_from(["agent", "customer"])
    ),
    max_size=12,
).map(
    lambda turns: [
        Segment(i, 0 if role == "agent" else 1, role, start, start + length, "да")
        for i, (start, length, role) in enumerate(turns)
    ]
)
spans = st.lists(
    st.tuples(st.integers(0, 60_000), st.integers(1, 20_000)).map(
        lambda s: (Interval(s[0], sum(s)), "hold_music")
    ),
    max_size=3,
)


@settings(deadline=None)
@given(segments, spans, st.integers(50_000, 80_000))
def test_silences_are_sorted_disjoint_long_enough_and_inside_the_call(talk, stated, duration_ms):
    found = silences_from_turns(talk, duration_ms, stated)
    edges = [edge for s in found for edge in (s.start_ms, s.end_ms)]
    assert edges == sorted(edges)
    assert all(0 <= edge <= duration_ms for edge in edges)
    assert all(s.duration_ms >= 1000 for s in found)
    if not stated:
        spoken = [t for t in talk if t.end_ms > t.start_ms]
        for s in found:
            assert not any(t.start_ms < s.end_ms and t.end_ms > s.start_ms for t in spoken)


@settings(deadline=None)
@given(segments)
def test_talk_times_equal_counting_milliseconds(talk):
    duration_ms = 70_000
    activity = activity_from_turns(talk, duration_ms)
    ticks = {
        role: {t // 10 for s in talk if s.role == role for t in range(s.start_ms, s.end_ms)}
        for role in ("agent", "customer")
    }
    if any(s.end_ms > s.start_ms for s in talk):
        both = len(ticks["agent"] & ticks["customer"]) * 10
        assert abs(activity.overtalk_ms - both) <= 20 * (activity.overtalk_count + len(talk))
    else:
        assert activity.overtalk_ms is None
