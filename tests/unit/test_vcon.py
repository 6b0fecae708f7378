"""vCon documents: what is read from them, what is refused and where, what is written."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from speechlytics.errors import ImportRefused
from speechlytics.vcon import Conversation, content_hash, read_vcons, to_vcon

SOUND = b"RIFF not really sound"
START = "2026-11-20T10:00:00+03:00"
PARTIES = [
    {"tel": "tel:+79161234567", "name": "Ivan", "role": "customer"},
    {"name": "A17", "mailto": "mailto:a17@example.org", "role": "agent", "dept": "line 2"},
]


def base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def vcon(**parts: Any) -> dict[str, Any]:
    whole = {
        "vcon": "0.4.0",
        "uuid": "0190b5f7-0000-8000-8000-000000000001",
        "created_at": START,
        "parties": PARTIES,
        "dialog": [recording()],
    }
    return {key: value for key, value in (whole | parts).items() if value is not None}


def recording(**changes: Any) -> dict[str, Any]:
    return {
        "type": "recording", "start": START, "duration": 10, "parties": [0, 1], "originator": 0,
        "mediatype": "audio/ogg", "body": base64url(SOUND), "encoding": "base64url", **changes,
    }  # fmt: skip


def message(second: int, party: int, text: str, **changes: Any) -> dict[str, Any]:
    return {
        "type": "text", "start": f"2026-11-20T10:00:{second:02d}+03:00", "parties": [party],
        "mediatype": "text/plain", "body": text, "encoding": "none", **changes,
    }  # fmt: skip


def transcript(body: Any, **changes: Any) -> dict[str, Any]:
    text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
    return {"type": "transcript", "dialog": 0, "vendor": "x", "encoding": "json", "body": text} | (
        changes
    )


def read(tmp_path: Path, document: Any, **options: Any) -> list[Conversation | ImportRefused]:
    path = tmp_path / "call.vcon"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return list(read_vcons(path, **options))


def one(tmp_path: Path, document: Any, **options: Any) -> Conversation:
    (found,) = read(tmp_path, document, **options)
    assert isinstance(found, Conversation), found
    return found


def test_recording_with_parties(tmp_path: Path) -> None:
    call = one(tmp_path, vcon(subject="No internet"))
    assert call.sounds[0].content == SOUND
    assert call.sounds[0].suffix == ".ogg"
    assert call.roles == ("customer", "agent")
    assert call.role_source == "metadata"
    assert call.raw["customer_id"] == "+79161234567"
    assert (call.raw["agent_id"], call.raw["team"]) == ("A17", "line 2")
    assert (call.raw["direction"], call.raw["duration_s"]) == ("inbound", 10)
    assert call.raw["subject"] == "No internet"
    assert call.raw["turns"] == []


def test_subject_with_a_number_is_not_kept(tmp_path: Path) -> None:
    assert "subject" not in one(tmp_path, vcon(subject="call of +7 916 123-45-67")).raw


def test_of_two_parties_one_known_role_tells_the_other(tmp_path: Path) -> None:
    parties = [{"tel": "+79161234567"}, {"name": "A17", "role": "agent"}]
    assert one(tmp_path, vcon(parties=parties)).roles == ("customer", "agent")
    nameless = [{"tel": "+79161234567"}, {"name": "Anna"}]
    assert one(tmp_path, vcon(parties=nameless)).roles == ("unknown", "unknown")
    told = one(tmp_path, vcon(parties=nameless), speakers={"Anna": "agent"})
    assert told.roles == ("customer", "agent")


def test_a_shared_channel_has_no_role(tmp_path: Path) -> None:
    call = one(tmp_path, vcon(dialog=[recording(parties=[[0, 1]])]))
    assert (call.roles, call.role_source) == (("unknown",), "none")


def test_recordings_of_one_moment_are_legs(tmp_path: Path) -> None:
    later = "2026-11-20T10:00:00.400+03:00"
    legs = [recording(parties=0), recording(parties=1, start=later)]
    call = one(tmp_path, vcon(dialog=legs))
    assert len(call.sounds) == 2
    assert call.roles == ("customer", "agent")


def test_recordings_of_different_moments_are_calls(tmp_path: Path) -> None:
    calls = read(tmp_path, vcon(dialog=[recording(start="2026-11-20T11:00:00Z"), recording()]))
    assert [c.raw["call_id"][-2:] for c in calls if isinstance(c, Conversation)] == ["-1", "-2"]
    assert [c.raw["started_at"][:13] for c in calls] == ["2026-11-20T10", "2026-11-20T11"]


def test_messages_are_turns(tmp_path: Path) -> None:
    chat = [
        message(0, 0, "Где мой заказ? 😀"),
        message(20, 1, "<p>Сейчас <b>проверю</b></p>", mediatype="text/html"),
        message(50, 0, "שלום", duration=2),
    ]
    turns = one(tmp_path, vcon(dialog=chat)).raw["turns"]
    assert [(t["start_s"], t["end_s"], t["speaker"]) for t in turns] == [
        (0, 20, "customer"),
        (20, 50, "agent"),
        (50, 52, "customer"),
    ]
    assert [t["text"] for t in turns] == ["Где мой заказ? 😀", "Сейчас проверю", "שלום"]


WORDS = [
    {"word": "hello", "punctuated_word": "Hello", "start": 0.5, "end": 0.9, "confidence": 0.9},
    {"word": "there", "punctuated_word": "there.", "start": 1.0, "end": 1.4},
    {"word": "bye", "punctuated_word": "Bye.", "start": 4.0, "end": 4.3},
]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"language": "en", "segments": [
                {"start": 1, "end": 2, "text": "Hi", "speaker": "Ivan"},
                {"start": 3, "end": 4, "text": "Yes?", "speaker": "A17"}]},
            [(1, 2, "Hi", "customer"), (3, 4, "Yes?", "agent")],
        ),
        ([{"start": 1, "end": 2, "text": "Hi", "party": 1}], [(1, 2, "Hi", "agent")]),
        (
            {"results": {"channels": [
                {"alternatives": [{"transcript": "Hello there. Bye.", "words": WORDS}]},
                {"alternatives": [{"words": [{"word": "ok", "start": 2, "end": 2.5}]}]}]}},
            [
                (0.5, 1.4, "Hello there.", "customer"),
                (2, 2.5, "ok", "agent"),
                (4.0, 4.3, "Bye.", "customer"),
            ],
        ),
        (
            {"results": {"utterances": [
                {"start": 1, "end": 2, "transcript": "Hi", "channel": 1}]}},
            [(1, 2, "Hi", "agent")],
        ),
        (
            {"transcript": "Hello there. Bye.", "words": WORDS},
            [(0.5, 1.4, "Hello there.", None), (4.0, 4.3, "Bye.", None)],
        ),
    ],
)  # fmt: skip
def test_transcripts_of_many_tools(tmp_path: Path, body: Any, expected: list[Any]) -> None:
    turns = one(tmp_path, vcon(analysis=[transcript(body)])).raw["turns"]
    assert [(t["start_s"], t["end_s"], t["text"], t["speaker"]) for t in turns] == expected


def test_plain_transcript_counts_only_without_sound(tmp_path: Path) -> None:
    plain = transcript("Ivan: Hello\nA17: Good day", encoding="none")
    assert one(tmp_path, vcon(analysis=[plain])).raw["turns"] == []
    silent = recording(body=None, encoding=None)
    call = one(tmp_path, vcon(dialog=[silent], analysis=[plain]))
    assert call.raw["times"] == "estimated"
    assert [(t["text"], t["speaker"]) for t in call.raw["turns"]] == [
        ("Hello", "customer"),
        ("Good day", "agent"),
    ]
    assert call.raw["turns"][-1]["end_s"] == 10


def test_a_call_that_nobody_answered(tmp_path: Path) -> None:
    missed = {"type": "incomplete", "start": START, "parties": [0], "disposition": "no-answer"}
    call = one(tmp_path, vcon(dialog=[missed]))
    assert call.raw["answered"] is False
    assert not call.sounds


def test_gzip_and_one_vcon_a_line(tmp_path: Path) -> None:
    packed = tmp_path / "call.vcon"
    packed.write_bytes(gzip.compress(json.dumps(vcon()).encode()))
    assert isinstance(next(read_vcons(packed)), Conversation)
    lines = tmp_path / "many.jsonl"
    lines.write_text(json.dumps(vcon()) + "\n\n{broken\n" + json.dumps(vcon()))
    kinds = [type(found).__name__ for found in read_vcons(lines)]
    assert kinds == ["Conversation", "ImportRefused", "Conversation"]


DIALOG = {"type": "recording", "start": START, "parties": [0, 1]}


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ("[1", "not valid JSON"),
        ("[]", "$: expected an object"),
        ({"a": 1}, "$: is no vCon"),
        ({"payload": "x", "signatures": []}, "signed vCon"),
        ({"ciphertext": "x", "recipients": []}, "encrypted vCon"),
        (vcon(vcon="9.0"), "$.vcon = '9.0'"),
        (vcon(uuid=None), "$.uuid"),
        (vcon(critical=["ENCRYPTED-AUDIO"]), "$.critical"),
        (vcon(group=[{"uuid": "x"}]), "$.group"),
        (vcon(dialog=[], amended={"uuid": "prior"}), "$.amended: only refers to vCon 'prior'"),
        (vcon(dialog=[], redacted={"uuid": "prior", "type": "pii"}), "$.redacted"),
        (vcon(dialog=[]), "$.dialog: holds no recording"),
        (vcon(parties={}), "$.parties: expected list"),
        (vcon(parties=[1]), "$.parties[0]"),
        (vcon(dialog=[DIALOG]), "$.dialog[0]: has neither body, url"),
        (vcon(dialog=[recording(start="yesterday")]), "$.dialog[0].start = 'yesterday'"),
        (vcon(dialog=[recording(start="2026-11-20T10:00:00")]), "no offset"),
        (vcon(dialog=[recording(type="dance")]), "$.dialog[0].type = 'dance'"),
        (vcon(dialog=[recording(body="$$$")]), "$.dialog[0].body is not base64url"),
        (vcon(dialog=[recording(encoding="rot13")]), "encoding = 'rot13'"),
        (vcon(dialog=[recording(content_hash="md5-abc")]), "$.dialog[0].content_hash"),
        (vcon(dialog=[recording(duration=-1)]), "$.dialog[0].duration = -1"),
        (vcon(dialog=[message(0, 0, "{}", mediatype="image/png")]), "$.dialog[0].mediatype"),
        (vcon(analysis=[transcript({"frames": []})]), "$.analysis[0].body: a transcript of unk"),
        (vcon(analysis=[transcript([{"text": "no times"}])]), "$.analysis[0].body[0]: start_s"),
        (vcon(analysis=[transcript({"segments": [1]})]), "$.analysis[0].body.segments[0]"),
    ],
)
def test_refusals_name_file_and_json_path(tmp_path: Path, document: Any, says: str) -> None:
    (refused,) = read(tmp_path, document)
    assert isinstance(refused, ImportRefused)
    assert "call.vcon" in str(refused)
    assert says in str(refused)


def test_a_damaged_recording_of_a_vcon_costs_only_itself(tmp_path: Path) -> None:
    dialogs = [recording(body="$"), recording(start="2026-11-20T11:00:00Z")]
    refused, taken = read(tmp_path, vcon(dialog=dialogs))
    assert isinstance(refused, ImportRefused)
    assert isinstance(taken, Conversation)


def test_hash_is_the_one_of_the_standard() -> None:
    digest = hashlib.sha512(b"abc").digest()
    assert content_hash(digest) == "sha512-" + base64url(digest)


def test_written_vcon_tells_no_customer_and_is_stable() -> None:
    from speechlytics.store import tables_from
    from tests.store_calls import analysis

    tables = tables_from([analysis("a")], "run")
    rows = [tables[n].to_pylist() for n in ("segments", "silences", "phrase_hits")]
    (call,) = tables["calls"].to_pylist()
    made = to_vcon({**call, "customer_key": "ab" * 16}, *rows, [], [])
    again = to_vcon({**call, "customer_key": "ab" * 16}, *rows, [], [])
    assert made["uuid"] == again["uuid"]
    assert made["vcon"] == "0.4.0"
    assert made["parties"] == [
        {"role": "agent", "name": "anna"},
        {"role": "customer", "uuid": "abababab-abab-abab-abab-abababababab"},
    ]
    assert {d["type"] for d in made["dialog"]} == {"text"}
    assert [a["type"] for a in made["analysis"]] == ["transcript", "call", "findings"]
    assert all(a["vendor"] and isinstance(a["body"], str) for a in made["analysis"])
