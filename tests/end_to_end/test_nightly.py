"""The whole night on real audio: decode, webrtcvad, Whisper, packs, Parquet, DuckDB."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path
from typing import Any

import pytest

from speechlytics import config, nightly
from speechlytics.runner import LocalRunner
from speechlytics.store import Store
from tests.spoken_calls import normal, sentences, spoken_call

COMMAND = [sys.executable, "-m", "speechlytics"]
CALLS = 4


def turns(number: int) -> list[tuple[int, int]]:
    """Agent and customer in turn, other sentences in every call."""
    return [(turn % 2, (3 * number + turn) % len(sentences())) for turn in range(3)]


def write_wav(path: Path, number: int) -> None:
    call = spoken_call(turns(number))
    samples = call.waveform.samples
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[0])
        out.setsampwidth(2)
        out.setframerate(call.waveform.rate_hz)
        out.writeframes(samples.T.tobytes())


def write_pack(folder: Path, word: str) -> None:
    (folder / "ru").mkdir(parents=True, exist_ok=True)
    (folder / "ru" / "mine.toml").write_text(
        f'[[rule]]\nid = "one-word"\ncategory = "issue_persists"\nlanguage = "ru"\n'
        f'any = ["{word}"]\nmatch = "exact"\nexamples = ["{word}"]\n'
    )


def make_project(folder: Path) -> Path:
    recordings = folder / "recordings"
    recordings.mkdir(parents=True)
    for number in range(CALLS):
        write_wav(recordings / f"call{number}.wav", number)
        sidecar = {"started_at": f"2026-11-0{number + 1}T10:00:00", "agent_id": "A1"}
        (recordings / f"call{number}.json").write_text(json.dumps(sidecar))
    (recordings / "broken.wav").write_bytes(b"RIFF" + b"\0" * 40)
    (recordings / "broken.json").write_text('{"started_at": "2026-11-05T10:00:00"}')
    write_pack(folder / "phrases", "интернет")
    pipeline = folder / "pipeline.toml"
    pipeline.write_text(
        '[source]\npath = "recordings"\n[[source.metadata]]\nkind = "sidecar"\n'
        '[phrases]\npacks = ["phrases"]\n'
        '[transcribe]\nmodel = "demo-prototype"\nlanguages = ["ru"]\n[run]\nworkers = 1\n'
    )
    return pipeline


def run(pipeline: Path, **selection: Any) -> nightly.Report:
    return nightly.run(config.load(pipeline), nightly.Selection(**selection))


def contents(store: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of the four tables, without what may differ between equal nights."""
    tables = {}
    for name in ("calls", "segments", "silences", "phrase_hits"):
        rows = Store(store).read(name).to_pylist()
        for row in rows:
            row.pop("run_id")
            for key in ("recording_uri", "audio_modified_at", "error"):
                row.pop(key, None)
        tables[name] = sorted(rows, key=lambda r: json.dumps(r, default=str, sort_keys=True))
    return tables


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, nightly.Report]:
    """A project after its first night; tests that change it work on a copy."""
    pipeline = make_project(tmp_path_factory.mktemp("night"))
    return pipeline, run(pipeline)


@pytest.fixture
def project(finished: tuple[Path, nightly.Report], tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    shutil.copytree(finished[0].parent, folder, copy_function=shutil.copy2)
    return folder / "pipeline.toml"


def test_first_night_does_every_call_and_names_the_broken_one(
    finished: tuple[Path, nightly.Report],
) -> None:
    pipeline, report = finished
    assert report.counts == {"ok": CALLS, "failed": 1}
    assert [failure.call_id for failure in report.failures] == ["broken"]
    assert "broken.wav" in report.failures[0].error
    connection = Store(pipeline.parent / "store").connect()
    heard = connection.execute(
        "SELECT call_id, count(*) FROM segments GROUP BY ALL ORDER BY call_id"
    ).fetchall()
    assert [call_id for call_id, _ in heard] == [f"call{n}" for n in range(CALLS)]
    row = connection.execute("SELECT status, counts FROM runs").fetchone()
    assert row is not None
    assert row[0] == "failed_calls"
    assert json.loads(row[1])["ok"] == CALLS


def test_what_was_said_is_what_was_spoken(finished: tuple[Path, nightly.Report]) -> None:
    import jiwer

    connection = Store(finished[0].parent / "store").connect()
    said, heard = [], []
    for number in range(CALLS):
        call = spoken_call(turns(number))
        for channel in (0, 1):
            words = connection.execute(
                "SELECT string_agg(text, ' ' ORDER BY start_ms) FROM segments "
                "WHERE call_id = ? AND channel = ?",
                [f"call{number}", channel],
            ).fetchone()
            said.append(call.text(channel))
            heard.append(normal(words[0] or "") if words else "")
    assert jiwer.wer(said, heard) <= 0.15


def test_second_night_has_nothing_to_do(project: Path) -> None:
    # a copy keeps the files' times, so that only the path differs
    report = run(project)
    assert report.counts == {"unchanged": CALLS + 1}
    assert not report.failed


def test_changed_packs_cost_no_audio(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pack(project.parent / "phrases", "авария")

    def decoded(*args: object, **keywords: object) -> None:
        raise AssertionError("audio was touched")

    monkeypatch.setattr("speechlytics.audio.decode", decoded)
    report = nightly.run(
        config.load(project), nightly.Selection(), make_runner=lambda _: LocalRunner(1)
    )
    assert report.counts == {"ok": CALLS, "unchanged": 1}
    rules = (
        Store(project.parent / "store")
        .connect()
        .execute("SELECT DISTINCT rule_id FROM phrase_hits")
    )
    assert rules.fetchall() == [("one-word",)]


def test_corrected_metadata_reaches_the_store(project: Path) -> None:
    sidecar = project.parent / "recordings" / "call0.json"
    sidecar.write_text(json.dumps({"started_at": "2026-11-01T10:00:00", "agent_id": "B2"}))
    before = contents(project.parent / "store")
    report = run(project)
    assert report.counts == {"ok": 1, "unchanged": CALLS}
    after = contents(project.parent / "store")
    assert after["segments"] == before["segments"]
    agents = {row["call_id"]: row["agent_id"] for row in after["calls"]}
    assert agents["call0"] == "B2"
    assert agents["call1"] == "A1"


def test_rescoring_equals_a_full_run(project: Path, tmp_path: Path) -> None:
    """Other packs and back again leaves the store as the first night made it."""
    before = contents(project.parent / "store")
    write_pack(project.parent / "phrases", "авария")
    run(project)
    assert contents(project.parent / "store")["phrase_hits"] != before["phrase_hits"]
    write_pack(project.parent / "phrases", "интернет")
    run(project)
    assert contents(project.parent / "store") == before


def test_acoustic_night_needs_no_model(tmp_path: Path) -> None:
    pipeline = make_project(tmp_path)
    settings = config.load(pipeline)
    acoustic = config.replace(
        settings,
        transcribe=config.replace(settings.transcribe, model="no-such-model"),
        run=config.replace(settings.run, transcribe=False),
    )
    report = nightly.run(acoustic, nightly.Selection())
    assert report.counts == {"ok": CALLS, "failed": 1}
    connection = Store(settings.store.path).connect()
    assert connection.execute("SELECT count(*) FROM segments").fetchone() == (0,)
    told = connection.execute("SELECT DISTINCT announced FROM silences").fetchall()
    assert told in ([(None,)], [])
    # the text arrives on a later night
    assert run(pipeline).counts["ok"] == CALLS
    assert connection is not None


def test_a_night_that_published_often_ends_with_few_files(tmp_path: Path) -> None:
    pipeline = make_project(tmp_path)
    sidecar = '{"started_at": "2026-11-05T10:00:00"}'
    for path in (tmp_path / "recordings").glob("*.json"):
        path.write_text(sidecar)
    settings = config.load(pipeline)
    run_ = config.replace(settings.run, transcribe=False, publish_every_calls=1)
    nightly.run(config.replace(settings, run=run_), nightly.Selection())
    with Store(settings.store.path).connect() as connection:
        files, sequence = connection.execute(
            "SELECT max(files), max(publication) FROM store_info WHERE table_name = 'calls'"
        ).fetchall()[0]
        assert connection.execute("SELECT count(*) FROM calls").fetchall() == [(CALLS + 1,)]
    assert sequence > CALLS + 1  # one a call, and one that merges
    assert files <= 2


def test_failed_calls_wait_until_asked_for(project: Path) -> None:
    write_wav(project.parent / "recordings" / "broken2.wav", 9)
    assert run(project, retry_failed=True).counts == {"unchanged": CALLS, "ok": 1, "failed": 1}
    write_wav(project.parent / "recordings" / "broken.wav", 8)
    report = run(project)
    assert report.counts == {"unchanged": CALLS + 1, "ok": 1}, "a mended file is done by itself"


def _invoke(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120, **options
    )


def test_exit_codes(project: Path, tmp_path: Path) -> None:
    assert _invoke("run", str(project)).returncode == 0
    assert _invoke("run", str(project), "--retry-failed").returncode == 3
    assert _invoke("run", str(tmp_path / "none.toml")).returncode == 2
    assert _invoke("run", "--no-such-option").returncode == 2
    with Store(project.parent / "store").writer("somebody"):
        locked = _invoke("run", str(project))
    assert locked.returncode == 4
    assert str(os.getpid()) in locked.stderr


def test_killed_night_goes_on_where_it_stopped(
    finished: tuple[Path, nightly.Report], tmp_path: Path
) -> None:
    pipeline = make_project(tmp_path)
    store = tmp_path / "store"
    process = subprocess.Popen(
        [*COMMAND, "run", str(pipeline)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    # the spool exists once calls are finished; kill without any chance to clean up
    deadline = time.monotonic() + 100
    while not list(store.glob("_spool/*")) and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    run(pipeline)
    assert contents(store) == contents(finished[0].parent / "store")


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    pipeline = make_project(tmp_path)
    said = _invoke("run", str(pipeline), "--dry-run", "--json")
    assert said.returncode == 0, said.stderr
    planned = json.loads(said.stdout)
    assert {row["call_id"] for row in planned} == {f"call{n}" for n in range(CALLS)} | {"broken"}
    assert not (tmp_path / "store").exists()
