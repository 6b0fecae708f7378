"""A night full of bad input: every bad call becomes a row that says why, the good one is done."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from speechlytics.store import Store
from tests.data.audio.make import pcm16, riff, two_tones

Night = tuple[Path, subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def night(
    tmp_path_factory: pytest.TempPathFactory,
) -> Night:
    folder = tmp_path_factory.mktemp("night")
    calls = folder / "recordings"
    (calls / "directory.wav").mkdir(parents=True)
    tones = two_tones(8000, channels=2)
    good = pcm16(tones, 8000)
    (calls / "good.wav").write_bytes(good)
    (calls / "empty.wav").write_bytes(b"")
    (calls / "header.wav").write_bytes(good[:44])
    (calls / "half.wav").write_bytes(good[: len(good) // 2])
    (calls / "text.wav").write_text("just some words\n")
    (calls / "concat.wav").write_text("ffconcat version 1.0\nfile 'good.wav'\n")
    (calls / "zero-rate.wav").write_bytes(riff(b"\0" * 8000, rate_hz=0))
    (calls / "many.wav").write_bytes(riff(b"\0" * 8000, channels=65_535))
    (calls / "one-bit.wav").write_bytes(riff(b"\0" * 8000, bits=1))
    (calls / "имя с пробелом ☎.wav").write_bytes(good)
    for number, name in enumerate(("a", "b")):
        (calls / name).mkdir()
        with wave.open(str(calls / name / "twice.wav"), "wb") as out:
            out.setparams((1, 2, 8000, 0, "NONE", ""))
            out.writeframes((number + 1).to_bytes(2, "little") * 8000)
    (calls / "bad-sidecar.wav").write_bytes(good)
    (calls / "bad-sidecar.json").write_text('{"started_at": ')
    (folder / "pipeline.toml").write_text(
        '[source]\npath = "recordings"\n[[source.metadata]]\nkind = "sidecar"\n'
        "[run]\nworkers = 1\ntranscribe = false\n"
    )
    command = [sys.executable, "-m", "speechlytics", "run", "pipeline.toml", "--json"]
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    return folder, done


def test_exit_code_says_that_some_failed(
    night: Night,
) -> None:
    _, done = night
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("call_id", "says"),
    [
        ("empty", "is empty"),
        ("header", "header.wav"),
        ("half", "damaged or missing"),
        ("text", "cannot be decoded"),
        ("concat", "cannot be decoded"),
        ("zero-rate", "sampling rate 0"),
        ("many", "65535 channels"),
        ("one-bit", "1 bits per sample"),
        ("twice", "twice.wav"),
        ("bad-sidecar", "bad-sidecar.json"),
    ],
)
def test_bad_call_is_a_row_that_says_why(night: Night, call_id: str, says: str) -> None:
    folder, done = night
    rows = {row["call_id"]: row for row in Store(folder / "store").read("calls").to_pylist()}
    assert rows[call_id]["status"] == "failed"
    assert rows[call_id]["failed_stage"] in ("source", "decode")
    assert says in rows[call_id]["error"]
    reported = {failure["call_id"] for failure in json.loads(done.stdout)["failures"]}
    assert call_id in reported


def test_nothing_else_is_lost(night: Night) -> None:
    rows = Store(night[0] / "store").read("calls").to_pylist()
    done = {row["call_id"] for row in rows if row["status"] != "failed"}
    assert done == {"good", "имя с пробелом ☎"}


def test_duplicate_id_with_other_audio_names_both_files(
    night: Night,
) -> None:
    rows = {row["call_id"]: row for row in Store(night[0] / "store").read("calls").to_pylist()}
    assert "a/twice.wav" in rows["twice"]["error"]
    assert "b/twice.wav" in rows["twice"]["error"]


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ('[source\npath = "x"\n', "not valid TOML"),
        ('[source]\npath = "recordings"\nregoin = "RU"\n', "unknown key 'regoin'"),
        ('[source]\npath = "recordings"\nleg_pattern = "(("\n', "not a regular expression"),
        ('[source]\npath = "recordings"\nzone = "Nowhere/City"\n', "not a time zone"),
        ('[source]\npath = "no-such-folder"\n', "no-such-folder"),
    ],
)
def test_wrong_configuration_stops_before_anything_is_done(
    tmp_path: Path, toml: str, says: str
) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "pipeline.toml").write_text(toml)
    command = [sys.executable, "-m", "speechlytics", "run", "--no-transcribe"]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode in (1, 2), done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr
