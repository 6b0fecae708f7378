"""The shipped demo calls: what the truth says is what the audio holds."""

from __future__ import annotations

import csv
import hashlib
import itertools
import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from pipelines.demo.dialogue import Pause, Turn, load_dialogues

ROOT = Path(__file__).parents[2]
CALLS = ROOT / "pipelines" / "demo" / "calls"
SPEECH = ROOT / "tests" / "data" / "speech"
GSM = ROOT / "tests" / "data" / "audio"
RATE_HZ = 8000
TRUTH: list[dict[str, Any]] = [
    json.loads(line) for line in (CALLS / "truth.jsonl").read_text(encoding="utf-8").splitlines()
]
EACH_CALL = pytest.mark.parametrize("truth", TRUTH, ids=lambda truth: truth["call_id"])


def decode(path: Path) -> npt.NDArray[np.float32]:
    """Samples of shape (channels, frames) at 8 kHz."""
    resampler = None
    pieces = []
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            resampler = resampler or av.AudioResampler("fltp", frame.layout, RATE_HZ)
            pieces += [piece.to_ndarray() for piece in resampler.resample(frame)]
    assert resampler is not None
    pieces += [piece.to_ndarray() for piece in resampler.resample(None)]
    return np.concatenate(pieces, axis=1)


def level_db(samples: npt.NDArray[np.float32], start_s: float, end_s: float) -> float:
    """Energy between two times, dBFS."""
    part = samples[round(start_s * RATE_HZ) : round(end_s * RATE_HZ)].astype(np.float64)
    return float(10 * np.log10(np.mean(part**2) + 1e-12))


def loudest_db(samples: npt.NDArray[np.float32], start_s: float, end_s: float) -> float:
    """Level of the loudest 50 ms between two times, dBFS."""
    starts = np.arange(start_s, end_s - 0.05, 0.05)
    return max(level_db(samples, at, at + 0.05) for at in starts)


def test_there_are_enough_calls_and_they_are_small() -> None:
    audio = [CALLS / truth["file"] for truth in TRUTH]
    assert len(TRUTH) >= 16
    assert sum(truth["language"] == "ru" for truth in TRUTH) >= 12
    assert sum(truth["language"] == "en" for truth in TRUTH) >= 4
    assert sum(path.stat().st_size for path in audio) < 4_500_000
    assert {path.name for path in CALLS.iterdir() if path.suffix in {".ogg", ".wav", ".mp3"}} == {
        path.name for path in audio
    }
    assert len({truth["codec"].removesuffix("-mono") for truth in TRUTH}) >= 5
    assert {truth["channels"] for truth in TRUTH} == {1, 2}
    assert {truth["resolved"] for truth in TRUTH} == {"yes", "no", "partly"}


@EACH_CALL
def test_audio_decodes_with_its_channels_and_length(truth: dict[str, Any]) -> None:
    samples = decode(CALLS / truth["file"])
    assert len(samples) == truth["channels"]
    assert 30 <= truth["duration_s"] <= 180
    # Codecs pad the last frame (MP3 and GSM the most).
    assert truth["duration_s"] - 0.03 <= samples.shape[1] / RATE_HZ <= truth["duration_s"] + 0.2


@EACH_CALL
def test_words_are_where_the_truth_says_and_on_their_channel_alone(truth: dict[str, Any]) -> None:
    samples = decode(CALLS / truth["file"])
    spans = [(turn["start_s"], turn["end_s"], turn["turn"]) for turn in truth["turns"]]
    for turn in truth["turns"]:
        own = samples[turn["channel"]]
        assert level_db(own, turn["start_s"], turn["end_s"]) > -36
        for word, start_s, end_s in turn["words"]:
            # A lone consonant («в», «с») may drown in a telephone line.
            if len(word) > 2:
                assert loudest_db(own, start_s, max(end_s, start_s + 0.1)) > -42, word
        alone = all(
            start >= turn["end_s"] or end <= turn["start_s"]
            for start, end, index in spans
            if index != turn["turn"]
        )
        if truth["channels"] == 2 and alone:
            other = samples[1 - turn["channel"]]
            separation = level_db(own, turn["start_s"], turn["end_s"]) - level_db(
                other, turn["start_s"] + 0.05, turn["end_s"]
            )
            assert separation > 20, turn["text"]


@EACH_CALL
def test_silences_are_silent_and_holds_hold_music(truth: dict[str, Any]) -> None:
    samples = decode(CALLS / truth["file"])
    for silence in truth["silences"]:
        # MP3 and Opus smear a word's end; the boundary itself is the speech truth.
        start_s, end_s = silence["start_s"] + 0.15, silence["end_s"] - 0.15
        levels = [loudest_db(channel, start_s, end_s) for channel in samples]
        if silence["kind"] == "silence":
            assert max(levels) < -45
        else:
            assert level_db(samples[0], start_s, end_s) > -32
            assert levels[1] < -45


@EACH_CALL
def test_truth_is_consistent(truth: dict[str, Any]) -> None:
    last_s = 0.0
    for index, turn in enumerate(truth["turns"]):
        assert turn["turn"] == index
        assert 0 <= turn["start_s"] < turn["end_s"] <= truth["duration_s"]
        assert turn["start_s"] >= last_s
        last_s = turn["start_s"]
        assert [word for word, _, _ in turn["words"]] == turn["text"].split()
        times = [time for _, start_s, end_s in turn["words"] for time in (start_s, end_s)]
        assert all(turn["start_s"] - 0.01 <= time <= turn["end_s"] + 0.01 for time in times)
        starts = times[0::2]
        assert starts == sorted(starts)
        assert not set(turn["phrases"]) & set(turn["may"])
    for silence in truth["silences"]:
        for turn in truth["turns"]:
            assert (
                turn["end_s"] <= silence["start_s"] + 0.001
                or turn["start_s"] >= silence["end_s"] - 0.001
            )


def test_no_long_gap_is_missing_from_the_truth() -> None:
    for truth in TRUTH:
        spans = sorted((turn["start_s"], turn["end_s"]) for turn in truth["turns"])
        known = {round(silence["start_s"], 1) for silence in truth["silences"]}
        for (_, end_s), (start_s, _) in itertools.pairwise(spans):
            if start_s - end_s >= 1.0:
                assert round(end_s, 1) in known, (truth["call_id"], end_s)


def test_truth_follows_the_written_dialogues() -> None:
    by_id = {truth["call_id"]: truth for truth in TRUTH}
    dialogues = load_dialogues()
    assert set(by_id) == {dialogue.call_id for dialogue in dialogues}
    for dialogue in dialogues:
        truth = by_id[dialogue.call_id]
        turns = [part for part in dialogue.parts if isinstance(part, Turn)]
        pauses = [part for part in dialogue.parts if isinstance(part, Pause)]
        assert [(t.role, t.text, {*t.phrases, *t.may}) for t in turns] == [
            (t["role"], t["text"], {*t["phrases"], *t["may"]}) for t in truth["turns"]
        ]
        assert [[] if dialogue.mono else list(t.phrases) for t in turns] == [
            t["phrases"] for t in truth["turns"]
        ]
        assert [(p.kind, p.announced, p.harmful) for p in pauses] == [
            (s["kind"], s["announced"], s["harmful"]) for s in truth["silences"]
        ]
        assert truth["resolved"] == dialogue.resolved


def test_metadata_covers_every_call_once() -> None:
    with (CALLS / "manifest.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    sidecars = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted(CALLS.glob("*.json"))
    ]
    ids = [row["call_id"] for row in rows] + [sidecar["call_id"] for sidecar in sidecars]
    assert len(sidecars) == 2
    assert sorted(ids) == sorted(truth["call_id"] for truth in TRUTH)
    started = [datetime.fromisoformat(entry["started_at"]) for entry in [*rows, *sidecars]]
    assert {(at.year, at.month, str(at.tzinfo)) for at in started} == {(2026, 11, "UTC+03:00")}
    assert len({at.date() for at in started}) >= 5


def test_the_demo_stories_are_told() -> None:
    """What the demo is to show: each kind of call is there."""
    silences = [(truth, silence) for truth in TRUTH for silence in truth["silences"]]
    phrases = {phrase for truth in TRUTH for turn in truth["turns"] for phrase in turn["phrases"]}
    assert (
        sum(s["after_question"] and s["harmful"] and s["kind"] == "silence" for _, s in silences)
        >= 4
    )
    assert any(s["announced"] and s["kind"] == "silence" and not s["harmful"] for _, s in silences)
    assert any(s["announced"] and s["kind"] == "hold_music" for _, s in silences)
    assert any(not s["announced"] and s["kind"] == "hold_music" for _, s in silences)
    assert any(
        s["before_role"] == "customer"
        and not s["announced"]
        and not s["harmful"]
        and s["end_s"] - s["start_s"] > 15
        for _, s in silences
    )
    assert any(s["position"] == "trailing" for _, s in silences)
    assert phrases >= {
        *("callback_promise", "cannot_help", "cancel_threat", "complaint_threat"),
        *("supervisor_request", "repeat_contact_mention", "issue_persists", "ticket_opened"),
        *("hold_announcement", "hold_return", "thanks_resolved", "closing_question"),
        *("technician_visit", "refund_promise", "profanity", "greeting", "identification"),
    }


def test_speaking_a_call_again_gives_the_same_samples() -> None:
    pytest.importorskip("espeakng_loader", reason="the synthesiser comes with the dev extra")
    program = (
        "import hashlib; from pipelines.demo.dialogue import load_dialogues as calls;"
        "from pipelines.demo.render import render_call;"
        "call = next(c for c in calls() if c.call_id == 'demo-03');"
        "print(hashlib.sha256(render_call(call).samples.tobytes()).hexdigest())"
    )
    command = [sys.executable, "-c", program]
    first, again = (
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout
        for _ in range(2)
    )
    assert first == again
    assert len(first.strip()) == len(hashlib.sha256().hexdigest())


def test_speech_clips_match_their_truth() -> None:
    clips = json.loads((SPEECH / "truth.json").read_text(encoding="utf-8"))
    assert len(clips) >= 12
    assert sum(path.stat().st_size for path in SPEECH.iterdir()) < 600_000
    for clip in clips.values():
        samples = decode(SPEECH / clip["file"])
        assert samples.shape == (1, round(clip["duration_s"] * RATE_HZ))
        loud = np.flatnonzero(np.abs(samples[0]) > 0.005)
        assert loud[0] / RATE_HZ == pytest.approx(clip["speech_start_s"], abs=0.001)
        assert (loud[-1] + 1) / RATE_HZ == pytest.approx(clip["speech_end_s"], abs=0.001)
        assert [word for word, _, _ in clip["words"]] == clip["text"].split()
        for word, start_s, end_s in clip["words"]:
            if len(word) > 2:
                assert loudest_db(samples[0], start_s, max(end_s, start_s + 0.1)) > -40, word


def test_gsm_call_has_its_words_in_both_files() -> None:
    call = json.loads((GSM / "gsm-call.json").read_text(encoding="utf-8"))
    sides = {role: decode(GSM / file)[0] for role, file in call["files"].items()}
    for samples in sides.values():
        assert len(samples) / RATE_HZ == pytest.approx(call["duration_s"], abs=0.1)
    for turn in call["turns"]:
        assert level_db(sides[turn["role"]], turn["start_s"], turn["end_s"]) > -36
