"""A night with screen captures: from files by agent and time to ``silence_alerts.screens``."""

from __future__ import annotations

import json
import os
import shutil
import wave
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from speechlytics import config, nightly
from speechlytics.runner import LocalRunner
from speechlytics.screens import agent_folder, frame_name
from speechlytics.store import Store
from tests.spoken_calls import spoken_call

PICTURE = b"\x89PNG\r\n\x1a\n"
SILENCE_MS = 16_000
# ten seconds to midnight in Moscow, and in UTC
STARTS = {
    "evening": datetime(2026, 11, 22, 20, 59, 50, tzinfo=UTC),
    "night": datetime(2026, 11, 22, 23, 59, 50, tzinfo=UTC),
}


def write_call(path: Path, agent: str, started_at: datetime) -> None:
    call = spoken_call([(1, 0), (0, 1), (1, 2)], gaps_ms=(700, SILENCE_MS, 500))
    samples = call.waveform.samples
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[0])
        out.setsampwidth(2)
        out.setframerate(call.waveform.rate_hz)
        out.writeframes(samples.T.tobytes())
    sidecar = {"started_at": started_at.isoformat(), "agent_id": agent}
    path.with_suffix(".json").write_text(json.dumps(sidecar))


def frame(folder: Path, agent: str, at: datetime, until: datetime) -> None:
    day = folder / agent_folder(agent) / f"{at:%Y-%m-%d}"
    day.mkdir(parents=True, exist_ok=True)
    path = day / frame_name(agent, at, 1, ".png")
    path.write_bytes(PICTURE)
    os.utime(path, (until.timestamp(), until.timestamp()))


def run(pipeline: Path) -> nightly.Report:
    return nightly.run(
        config.load(pipeline), nightly.Selection(), make_runner=lambda _: LocalRunner(1)
    )


def ask(pipeline: Path, query: str) -> list[tuple[Any, ...]]:
    connection = Store(pipeline.parent / "store").connect()
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    calls, captures = tmp_path / "calls", tmp_path / "calls" / "captures"
    calls.mkdir()
    for name, start in STARTS.items():
        write_call(calls / f"{name}.wav", f"Анна {name}", start)
        # a new picture every 2 s, from a minute before to two minutes after
        for second in range(-60, 120, 2):
            at = start + timedelta(seconds=second)
            frame(captures, f"Анна {name}", at, at + timedelta(seconds=1.9))
    write_call(calls / "nobody.wav", "A99", STARTS["evening"])
    path = tmp_path / "pipeline.toml"
    path.write_text(
        '[source]\npath = "calls"\nzone = "Europe/Moscow"\n'
        '[source.screens]\nfolder = "calls/captures"\n[[source.metadata]]\nkind = "sidecar"\n'
        "[run]\ntranscribe = false\nworkers = 1\n"
    )
    return path


def test_captures_reach_calls_and_alerts(pipeline: Path) -> None:
    assert run(pipeline).counts == {"ok": 3}
    calls = {
        call_id: (duration_ms, screens)
        for call_id, duration_ms, screens in ask(
            pipeline, "SELECT call_id, duration_ms, screens FROM calls"
        )
    }
    assert calls["nobody"][1] == []
    for name in STARTS:
        duration_ms, screens = calls[name]
        assert len(screens) == -(-duration_ms // 2000), "one every 2 s of the call, no more"
        assert [shot["start_ms"] for shot in screens] == list(range(0, duration_ms, 2000))
        assert all(shot["end_ms"] <= duration_ms for shot in screens)
    alerts = ask(
        pipeline, "SELECT call_id, start_ms, end_ms, screens FROM silence_alerts ORDER BY call_id"
    )
    assert [alert[0] for alert in alerts] == ["evening", "night", "nobody"]
    for call_id, start_ms, end_ms, screens in alerts:
        assert end_ms - start_ms >= SILENCE_MS - 500
        expected = [
            shot
            for shot in calls[call_id][1]
            if shot["start_ms"] <= end_ms and shot["end_ms"] >= start_ms
        ]
        assert screens == expected
        assert bool(screens) == (call_id in STARTS)
        assert all(Path(shot["uri"]).read_bytes() == PICTURE for shot in screens)

    assert run(pipeline).counts == {"unchanged": 3}, "joined again, the captures are the same"


def test_captures_that_come_late_need_no_audio(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    captures = pipeline.parent / "calls" / "captures"
    shutil.move(captures, pipeline.parent / "later")
    captures.mkdir()
    run(pipeline)
    assert ask(pipeline, "SELECT sum(len(screens)) FROM calls") == [(0,)]
    captures.rmdir()
    shutil.move(pipeline.parent / "later", captures)

    def decoded(*args: object, **keywords: object) -> None:
        raise AssertionError("audio was touched")

    monkeypatch.setattr("speechlytics.audio.decode", decoded)
    assert run(pipeline).counts == {"ok": 2, "unchanged": 1}
    shown = ask(pipeline, "SELECT call_id, len(screens) > 5 FROM silence_alerts ORDER BY ALL")
    assert shown == [("evening", True), ("night", True), ("nobody", False)]
