"""``run`` over a folder of vCons: done once, redone when a file changes, refusals are rows."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from speechlytics import config, nightly
from speechlytics.errors import ConfigError
from speechlytics.runner import LocalRunner
from speechlytics.store import Store
from tests.end_to_end.test_import_vcon import base64url, contents, segments, take, vcon, wav
from tests.spoken_calls import spoken_call

PIPELINE = """
[source]
path = "vcons"
[[source.metadata]]
kind = "vcon"
speakers = {"Anna" = "agent"}
[transcribe]
model = "demo-prototype"
languages = ["ru"]
[run]
workers = 1
"""
CHAT = [{"type": "text", "parties": 1, "body": "Перезвоните завтра", "duration": 2}]


def night(folder: Path, *, retry_failed: bool = False) -> dict[str, int]:
    report = nightly.run(
        config.load(folder / "pipeline.toml"),
        nightly.Selection(retry_failed=retry_failed),
        make_runner=lambda _: LocalRunner(1),
    )
    return report.counts


def rows(folder: Path, query: str) -> list[tuple[Any, ...]]:
    with Store(folder / "store").connect() as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound alone, sound with its transcript, text alone, and what cannot be read."""
    folder = tmp_path_factory.mktemp("vcons")
    (folder / "pipeline.toml").write_text(PIPELINE)
    place = folder / "vcons"
    place.mkdir()
    call = spoken_call([(0, 0), (1, 1)])
    sound = wav(folder / "call.wav", call)
    wav(place / "beside.wav", call)
    told = {"type": "transcript", "dialog": 0, "vendor": "x", "encoding": "json"}
    told["body"] = json.dumps(segments(call))
    inline = {"mediatype": "audio/x-wav", "body": base64url(sound), "encoding": "base64url"}
    vcon(place / "1.vcon", 1, [inline])
    vcon(place / "2.vcon", 2, [{"url": "beside.wav"}], analysis=[told])
    vcon(place / "3.vcon", 3, CHAT)
    vcon(place / "4.vcon", 4, [{"url": "gone.wav"}])
    (place / "5.vcon").write_text("{")
    assert night(folder) == {"ok": 3, "failed": 2}
    return folder


def test_every_call_is_a_row_and_the_wav_beside_is_none_of_its_own(project: Path) -> None:
    found = rows(
        project,
        "SELECT right(call_id, 1), status, transcript_source, failed_stage FROM calls ORDER BY ALL",
    )
    assert found == [
        ("1", "failed", None, "source"),
        ("1", "ok", "asr", None),
        ("2", "ok", "import", None),
        ("3", "ok", "import", None),
        ("4", "failed", None, "source"),
    ]
    errors = "\n".join(e for (e,) in rows(project, "SELECT error FROM failures ORDER BY ALL"))
    assert "4.vcon: $.dialog[0].url = 'gone.wav'" in errors
    assert "5.vcon" in errors


def test_the_calls_are_what_an_import_makes_of_them(project: Path, tmp_path: Path) -> None:
    files = [project / "vcons" / f"{number}.vcon" for number in (1, 2, 3)]
    shutil.copy(project / "store.key", tmp_path / "store.key")
    assert take(tmp_path / "store", *files).refused == []
    other = "run_id, recording_uri, audio_size_bytes, audio_modified_at, stage_sha256"
    imported = contents(tmp_path / "store", other)
    ran = contents(project / "store", other)
    ran["calls"] = [row for row in ran["calls"] if "failed" not in row]
    assert ran == imported


def test_the_second_night_does_only_what_changed(project: Path) -> None:
    # what was out of reach is tried again every night, what cannot be read waits for a change
    assert night(project) == {"unchanged": 4, "failed": 1}
    (project / "vcons" / "3.vcon").touch()
    os.utime(project / "vcons" / "beside.wav", (1, 2_000_000_000))
    assert night(project) == {"ok": 2, "unchanged": 2, "failed": 1}
    call = spoken_call([(0, 0), (1, 1)])
    wav(project / "vcons" / "gone.wav", call)
    vcon(project / "vcons" / "5.vcon", 5, CHAT)
    assert night(project) == {"ok": 2, "unchanged": 3}
    said = rows(project, "SELECT count(*) FROM segments WHERE right(call_id, 1) = '4'")
    assert said[0][0] >= 2


def test_changed_packs_cost_no_audio(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    night(project)
    pack = project / "packs" / "ru"
    pack.mkdir(parents=True)
    (pack / "mine.toml").write_text(
        '[[rule]]\nid = "one-word"\ncategory = "callback_promise"\nlanguage = "ru"\n'
        'any = ["завтра"]\nmatch = "exact"\nexamples = ["завтра"]\n'
    )
    text = (project / "pipeline.toml").read_text() + '[phrases]\npacks = ["packs"]\n'
    (project / "pipeline.toml").write_text(text)

    def decoded(*args: object, **keywords: object) -> None:
        raise AssertionError("audio was touched")

    monkeypatch.setattr("speechlytics.audio.decode", decoded)
    assert night(project)["ok"] >= 3
    hits = rows(project, "SELECT DISTINCT rule_id FROM phrase_hits")
    assert hits == [("one-word",)]


def test_nothing_else_may_describe_vcons(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text(
        PIPELINE.replace("[transcribe]", '[[source.metadata]]\nkind = "sidecar"\n[transcribe]')
    )
    with pytest.raises(ConfigError, match='kind = "vcon" and 1 more'):
        config.load(path)
    path.write_text(PIPELINE.replace('"vcons"', '"s3://bucket/vcons/"'))
    with pytest.raises(ConfigError, match="s3://bucket/vcons/"):
        night(tmp_path)
