"""vCons through the store and back: sound, text, transcripts, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import wave
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from speechlytics import config, nightly
from speechlytics.cli import app
from speechlytics.runner import LocalRunner
from speechlytics.store import Store
from tests.spoken_calls import SpokenCall, normal, spoken_call

START = "2026-11-20T10:00:00+03:00"
PARTIES = [
    {"name": "A17", "role": "agent"},
    {"tel": "tel:+79161234567", "role": "customer"},
]
TABLES = ("calls", "segments", "silences", "phrase_hits")


@pytest.fixture(scope="module")
def call() -> SpokenCall:
    return spoken_call([(0, 0), (1, 1), (0, 2)])


def wav(path: Path, spoken: SpokenCall, channel: int | None = None) -> bytes:
    samples = spoken.waveform.samples
    samples = samples if channel is None else samples[channel : channel + 1]
    with wave.open(str(path), "wb") as out:
        out.setnchannels(samples.shape[0])
        out.setsampwidth(2)
        out.setframerate(spoken.waveform.rate_hz)
        out.writeframes(samples.T.tobytes())
    return path.read_bytes()


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def content_hash(content: bytes) -> str:
    return f"sha512-{base64url(hashlib.sha512(content).digest())}"


def vcon(path: Path, number: int, dialog: list[Any], **parts: Any) -> Path:
    document = {
        "vcon": "0.4.0",
        "uuid": f"0190b5f7-0000-8000-8000-{number:012d}",
        "created_at": START,
        "parties": PARTIES,
        "dialog": [{"type": "recording", "start": START, "parties": [0, 1]} | d for d in dialog],
    }
    path.write_text(json.dumps(document | parts))
    return path


def settings(store: Path, model: str = "demo-prototype") -> config.Config:
    speech = config.TranscribeConfig(model=model, languages=("ru",))
    return config.Config(
        source=config.SourceConfig(path=str(store.parent)),
        store=config.StoreConfig(path=str(store)),
        transcribe=speech,
        run=config.RunConfig(workers=1),
    )


def take(store: Path, *files: Path, model: str = "demo-prototype", **how: Any) -> nightly.Taken:
    return nightly.import_vcons(
        settings(store, model),
        files,
        nightly.VconReading(**how),
        make_runner=lambda _: LocalRunner(1),
    )


def rows(store: Path, query: str) -> list[tuple[Any, ...]]:
    with Store(store).connect() as connection:
        return connection.execute(query).fetchall()


def contents(store: Path, leave_out: str) -> dict[str, list[tuple[Any, ...]]]:
    found = {}
    for table in TABLES:
        columns = f"* EXCLUDE ({leave_out})" if table == "calls" else "* EXCLUDE (run_id)"
        found[table] = rows(store, f"SELECT {columns} FROM {table} ORDER BY ALL")
    return found


def segments(spoken: SpokenCall) -> dict[str, Any]:
    return {
        "language": "ru",
        "segments": [
            {
                "start": at / 1000,
                "end": (at + said.duration_ms) / 1000,
                "text": said.text,
                "channel": channel,
            }
            for channel, at, said in spoken.turns
        ],
    }


def test_sound_is_heard_and_refusals_cost_nothing_else(tmp_path: Path, call: SpokenCall) -> None:
    import jiwer

    sound = wav(tmp_path / "call.wav", call)
    legs = [wav(tmp_path / f"leg{channel}.wav", call, channel) for channel in (0, 1)]
    inline = {"mediatype": "audio/x-wav", "body": base64url(sound), "encoding": "base64url"}
    files = [
        vcon(tmp_path / "inline.vcon", 1, [inline]),
        vcon(tmp_path / "legs.vcon", 2, [
            {"url": "leg0.wav", "content_hash": content_hash(legs[0]), "parties": 0},
            {"url": (tmp_path / "leg1.wav").as_uri(), "parties": 1}]),
        vcon(tmp_path / "changed.vcon", 3, [
            {"url": "call.wav", "content_hash": content_hash(b"other")}]),
        vcon(tmp_path / "gone.vcon", 4, [{"url": "gone.wav"}]),
        vcon(tmp_path / "far.vcon", 5, [{"url": "https://example.invalid/a.wav"}]),
        vcon(tmp_path / "noise.vcon", 6, [inline | {"body": base64url(b"no sound")}]),
    ]  # fmt: skip
    store = tmp_path / "store"
    taken = take(store, *files)
    assert taken.taken == 2
    said = "\n".join(taken.refused)
    for expected in (
        "changed.vcon: $.dialog[0].content_hash",
        "gone.vcon: $.dialog[0].url = 'gone.wav'",
        "give --fetch",
        "noise.vcon",
    ):
        assert expected in said
    status = rows(store, "SELECT right(call_id, 1), status, role_source FROM calls ORDER BY 1")
    assert status == [("1", "ok", "metadata"), ("2", "ok", "metadata"), ("6", "failed", "metadata")]
    for number in (1, 2):
        for channel, role in ((0, "agent"), (1, "customer")):
            (heard,) = rows(
                store,
                "SELECT coalesce(string_agg(text, ' ' ORDER BY start_ms), '') FROM segments "
                f"WHERE right(call_id, 1) = '{number}' AND role = '{role}'",
            )
            assert jiwer.wer(call.text(channel), normal(heard[0])) <= 0.3
    ((uri, key),) = rows(
        store, "SELECT recording_uri, customer_key FROM calls WHERE right(call_id, 1) = '1'"
    )
    assert Path(uri).parent == store / "_vcon"
    assert Path(uri).read_bytes() == sound
    assert key is not None
    assert "9161234567" not in json.dumps(rows(store, "FROM calls"), default=str)


def test_a_transcript_spares_the_model_and_sound_is_measured(
    tmp_path: Path, call: SpokenCall
) -> None:
    sound = wav(tmp_path / "call.wav", call)
    told = {"type": "transcript", "dialog": 0, "vendor": "x", "encoding": "json"}
    told["body"] = json.dumps(segments(call))
    dialog = [{"url": "call.wav", "content_hash": content_hash(sound)}]
    with_sound = vcon(tmp_path / "with.vcon", 1, dialog, analysis=[told])
    far = [{"url": "https://example.invalid/a.wav", "duration": 20}]
    without = vcon(tmp_path / "without.vcon", 2, far, analysis=[told])
    alone = vcon(tmp_path / "alone.vcon", 3, dialog)
    store = tmp_path / "store"
    taken = take(store, with_sound, without, alone, model="no-such-model")
    assert taken.taken == 2
    assert len(taken.refused) == 1
    assert "needs a speech model" in taken.refused[0]
    measured = rows(
        store, "SELECT transcript_source, codec, agent_talk_ms > 0 FROM calls ORDER BY call_id"
    )
    assert measured == [("import", "pcm_s16le", True), ("import", None, True)]
    texts = "SELECT channel, text FROM segments WHERE right(call_id, 1) = '1' ORDER BY start_ms"
    assert rows(store, texts) == [(channel, said.text) for channel, _, said in call.turns]


@pytest.mark.parametrize("inline", [False, True])
def test_what_left_comes_back_as_it_was(tmp_path: Path, call: SpokenCall, inline: bool) -> None:
    wav(tmp_path / "call.wav", call)
    told = {"type": "transcript", "dialog": 0, "vendor": "x", "encoding": "json"}
    told["body"] = json.dumps(segments(call))
    first = vcon(tmp_path / "first.vcon", 1, [{"url": "call.wav"}], analysis=[told])
    chat = [
        {"type": "text", "parties": 0, "body": "Не работает?", "encoding": "none", "duration": 2},
        {"type": "text", "parties": 1, "body": "Нет 😀", "encoding": "none", "duration": 9},
    ]
    second = vcon(tmp_path / "second.vcon", 2, chat)
    store, again = tmp_path / "store", tmp_path / "again"
    assert take(store, first, second).refused == []
    out = tmp_path / "out"
    files = nightly.export_vcons(Store(store), out, inline=inline)
    assert take(again, *files).refused == []
    files_only = "run_id, recording_uri, audio_size_bytes, audio_modified_at"
    assert contents(again, files_only) == contents(store, files_only)
    documents = [json.loads(path.read_text()) for path in files]
    recorded = next(d for d in documents if d["dialog"][0]["type"] == "recording")
    dialog = recorded["dialog"][0]
    assert ("body" in dialog, "content_hash" in dialog) == (inline, not inline)
    assert "9161234567" not in json.dumps(documents)
    findings = json.loads(recorded["analysis"][-1]["body"])
    assert set(findings) == {"phrase_hits", "unresolved_reasons"}


def test_commands(tmp_path: Path, call: SpokenCall) -> None:
    chat = [{"type": "text", "parties": 1, "body": "Перезвоните завтра", "duration": 2}]
    path = vcon(tmp_path / "chat.vcon", 7, chat)
    store = str(tmp_path / "store")
    runner = CliRunner()
    result = runner.invoke(app, ["import", "vcon", str(path), str(path), "--store", store])
    assert result.exit_code == 3, result.output
    assert '{"calls": 1, "refused": 1}' in result.output
    found = runner.invoke(app, ["search", "перезвонить", "--store", store, "--json"])
    assert [m["text"] for m in json.loads(found.output)] == ["Перезвоните завтра"]
    out = str(tmp_path / "out")
    call_id = "0190b5f7-0000-8000-8000-000000000007"
    done = runner.invoke(app, ["export", "vcon", "--call", call_id, "--out", out, "--store", store])
    assert done.exit_code == 0, done.output
    assert [p.name for p in Path(out).iterdir()] == [f"{call_id}.vcon"]
    (entry,) = Store(store).read("audit").to_pylist()
    assert (entry["action"], entry["call_id"]) == ("export", call_id)
    assert json.loads(entry["detail"]) == {"what": "vcon", "out": out, "calls": 1}
    none = runner.invoke(app, ["export", "vcon", "--call", "x", "--out", out, "--store", store])
    assert none.exit_code == 1
    assert "has no call 'x'" in str(none.exception)
