"""Bad sources and metadata. One bad thing costs at most its own call.

==========================================  ===================================================
bad input                                   what it gives
==========================================  ===================================================
source path that does not exist             SourceError: source.path = '…' does not exist
unreadable subfolder                        a row of its own with the folder and the cause
malformed sidecar JSON, not an object,      problem naming file and line; the other metadata of
  too deep, unreadable, a folder              the call is kept
unparsable started_at, and no other         problem naming file, line, column and value
csat "n/a", wait "soon", unknown direction  the call without them; value, file and line stand in
  or role, NaN                                extra.metadata_problems; later places fill the gap
manifest file missing, of another kind,     SourceError naming key and file
  empty, not UTF-8, not Parquet
mapped column that is not there             ConfigError naming it and the columns that are
unknown field in columns                    ConfigError with the nearest known field
no column identifies the call               ConfigError saying which to map
CSV line with too few or too many fields    what is known, and a note
malformed JSONL line                        a row with problem naming file and line
CDR line with too few fields                a row with problem naming file and line
row without recording and without time      a row with problem
duplicate id, same audio                    one call
duplicate id, other audio                   one row with problem naming both files
leg twice, unknown leg                      problem naming the files
``../`` and control characters in ids       replaced by ``_``
Unicode NFD names                           id in NFC; the uri stays as it is on disk
file name that is not UTF-8                 problem with the escaped name, nothing unstorable
screens outside the source                  not taken over; a note
customer id in extra, id, queue             dropped there, replaced by the pseudonym's head
directory named .wav, empty folder          no call
==========================================  ===================================================
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest

from speechlytics.config import MetadataSource, SourceConfig
from speechlytics.errors import ConfigError, SourceError
from speechlytics.records import Recording
from speechlytics.sources import discover

KEY = bytes(range(32))
SIDECAR = MetadataSource(kind="sidecar")


def found(root: Path, *metadata: MetadataSource, **settings) -> dict[str, Recording]:
    config = SourceConfig(path=str(root), metadata=metadata, **settings)
    calls = list(discover(config, key=KEY))
    assert len({call.call_id for call in calls}) == len(calls)
    for call in calls:  # whatever came in, it can be stored
        pa.array([call.call_id, *call.uris, call.extra, call.problem, call.agent_id], pa.string())
        json.loads(call.extra or "{}")
    return {call.call_id: call for call in calls}


def two_calls(root: Path) -> Path:
    (root / "a.wav").write_bytes(b"a")
    (root / "b.wav").write_bytes(b"b")
    return root


def manifest(root: Path, text: str | bytes, name: str = "m.csv", **settings) -> MetadataSource:
    path = root / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return MetadataSource(kind="manifest", file=str(path), **settings)


def notes(call: Recording) -> str:
    return "\n".join(json.loads(call.extra or "{}").get("metadata_problems", []))


def test_source_that_does_not_exist(tmp_path):
    with pytest.raises(SourceError, match=r"source\.path = '.*none' does not exist"):
        found(tmp_path / "none")
    with pytest.raises(SourceError, match=r"folder '.*none' does not exist"):
        found(tmp_path / "none" / "*.wav")
    with pytest.raises(SourceError, match=r"source\.path = 'memory://nowhere' does not exist"):
        list(discover(SourceConfig(path="memory://nowhere"), key=KEY))
    with pytest.raises(SourceError, match=r"cannot be listed"):
        list(discover(SourceConfig(path="nosuchprotocol://x"), key=KEY))


def test_empty_folder_and_folder_named_wav(tmp_path):
    (tmp_path / "x.wav").mkdir()
    assert found(tmp_path) == {}


def test_unreadable_subfolder_is_a_row(tmp_path, monkeypatch):
    two_calls(tmp_path)
    (tmp_path / "locked").mkdir()
    real = os.scandir

    def denied(path="."):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", denied)  # chmod would not stop root
    calls = found(tmp_path)
    assert {"a", "b"} < set(calls)
    (other,) = (call for name, call in calls.items() if name not in {"a", "b"})
    assert other.problem is not None
    assert "locked: folder cannot be read (Permission denied)" in other.problem


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"agent_id": "anna",\n "csat": }', r"a\.json:2: malformed JSON"),
        (b"", r"a\.json:1: malformed JSON"),
        (b"[1, 2]", r"a\.json: malformed JSON \(not an object\)"),
        (b"\xff\xfe\x00", r"a\.json: malformed JSON"),
        (b"[" * 100_000, r"a\.json: malformed JSON"),
        (b'{"csat": ' + b"9" * 5000 + b"}", r"a\.json: malformed JSON"),
    ],
)
def test_malformed_sidecar_costs_its_own_call(tmp_path, content, message):
    two_calls(tmp_path)
    (tmp_path / "a.json").write_bytes(content)
    calls = found(tmp_path, SIDECAR, manifest(tmp_path, "call_id,agent_id\na,anna\nb,boris\n"))
    assert calls["a"].problem is not None
    assert re.search(message, calls["a"].problem)
    assert calls["a"].agent_id == "anna"
    assert (calls["b"].problem, calls["b"].agent_id) == (None, "boris")


def test_sidecar_that_is_a_folder(tmp_path):
    two_calls(tmp_path)
    (tmp_path / "a.json").mkdir()
    calls = found(tmp_path, SIDECAR)
    assert "sidecar cannot be read (Is a directory)" in str(calls["a"].problem)
    assert calls["b"].problem is None


@pytest.mark.parametrize("written", ["yesterday", "2026-13-45", "0001-01-01", "12", "[]", True])
def test_unparsable_time_is_a_problem_not_another_day(tmp_path, written):
    two_calls(tmp_path)
    (tmp_path / "a.json").write_text(json.dumps({"started_at": written, "agent_id": "anna"}))
    calls = found(tmp_path, SIDECAR)
    assert "a.json: started_at = " in str(calls["a"].problem)
    assert calls["a"].agent_id == "anna"
    assert calls["b"].problem is None


def test_unparsable_time_with_a_good_one_elsewhere(tmp_path):
    two_calls(tmp_path)
    (tmp_path / "a.json").write_text('{"started_at": "yesterday"}')
    calls = found(tmp_path, SIDECAR, manifest(tmp_path, "call_id,started_at\na,2026-11-22 9:30\n"))
    assert calls["a"].problem is not None  # "9:30" is no ISO time either
    calls = found(tmp_path, SIDECAR, manifest(tmp_path, "call_id,started_at\na,2026-11-22 09:30\n"))
    assert calls["a"].problem is None
    assert calls["a"].started_local.hour == 9
    assert "a.json: started_at = 'yesterday' is not a time" in notes(calls["a"])


@pytest.mark.parametrize(
    ("column", "value", "note"),
    [
        ("csat", "n/a", "csat = 'n/a' is not a number"),
        ("csat", "nan", "csat = 'nan' is not a number"),
        ("wait_s", "-3", "wait_s = '-3' is not a duration"),
        ("wait_ms", "1e99", "wait_ms = '1e99' is not a duration"),
        ("direction", "sideways", "direction = 'sideways' is none of inbound, outbound, internal"),
        ("answered", "perhaps", "answered = 'perhaps' is neither yes nor no"),
        ("language", "Klingon", "language = 'Klingon' is not a language code"),
        ("roles", "agent+bot", "roles = 'agent+bot' is not roles"),
        ("disconnect_by", "cat", "disconnect_by = 'cat' is none of agent, customer, system"),
    ],
)
def test_bad_value_costs_only_itself(tmp_path, column, value, note):
    two_calls(tmp_path)
    text = f"call_id,agent_id,{column}\na,anna,{value}\nb,boris,\n"
    calls = found(tmp_path, manifest(tmp_path, text))
    assert calls["a"].problem is None
    assert calls["a"].agent_id == "anna"
    assert f"m.csv:2: {note}" in notes(calls["a"])
    assert calls["b"].extra is None


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.csv", b"", r"m\.csv: is empty"),
        ("m.csv", "call_id,agent_id\nа,б\n".encode("cp1251"), r"m\.csv:2: not UTF-8; convert"),
        ("m.csv", b'call_id\n"' + b"x" * (1 << 25), r"m\.csv:\d+: not a CSV"),
        ("m.parquet", b"PAR1 not really", r"m\.parquet: not a Parquet file"),
        ("m.xlsx", b"PK", r"a manifest ends in \.csv"),
    ],
)
def test_unusable_manifest(tmp_path, name, content, message):
    two_calls(tmp_path)
    with pytest.raises(SourceError, match=message):
        found(tmp_path, manifest(tmp_path, content, name))


def test_missing_manifest_and_settings(tmp_path):
    two_calls(tmp_path)
    gone = MetadataSource(kind="manifest", file=str(tmp_path / "none.csv"))
    with pytest.raises(SourceError, match=r"source\.metadata\[0\]\.file = '.*none\.csv' cannot be"):
        found(tmp_path, gone)
    cdr = MetadataSource(kind="asterisk_cdr", file=str(tmp_path / "none.csv"))
    with pytest.raises(SourceError, match=r"cannot be read"):
        found(tmp_path, cdr)
    with pytest.raises(ConfigError, match=r"source\.metadata\[1\]\.file is missing"):
        found(tmp_path, SIDECAR, MetadataSource(kind="manifest"))
    with pytest.raises(ConfigError, match=r"source\.metadata\[0\]\.pattern is missing"):
        found(tmp_path, MetadataSource(kind="filename"))
    with pytest.raises(ConfigError, match=r"has no named groups .*asterisk-mixmonitor"):
        found(tmp_path, MetadataSource(kind="filename", pattern="asterisk-mixmonitr"))


def test_wrong_columns(tmp_path):
    two_calls(tmp_path)
    text = "id,operator\na,anna\n"
    mapping = {"call_id": "id", "agent_id": "oprator"}
    with pytest.raises(
        ConfigError, match=r"agent_id = 'oprator' is not a column of .*id, operator"
    ):
        found(tmp_path, manifest(tmp_path, text, columns=mapping))
    with pytest.raises(ConfigError, match=r"unknown field 'agnt_id'; did you mean 'agent_id'"):
        found(tmp_path, manifest(tmp_path, text, columns={"agnt_id": "operator"}))
    with pytest.raises(ConfigError, match=r"map call_id or recording"):
        found(tmp_path, manifest(tmp_path, text, columns={"agent_id": "operator"}))


def test_lines_of_odd_length(tmp_path):
    two_calls(tmp_path)
    text = "call_id,agent_id,csat\na\nb,boris,5,6,7\n\n"
    calls = found(tmp_path, manifest(tmp_path, text))
    assert "m.csv:2: 1 fields where the header has 3" in notes(calls["a"])
    assert (calls["b"].agent_id, calls["b"].csat) == ("boris", 5.0)
    assert "m.csv:3: 5 fields" in notes(calls["b"])


def test_malformed_line_of_jsonl(tmp_path):
    two_calls(tmp_path)
    text = '{"call_id": "a", "csat": 5}\n{"call_id": "b", "csat"\n"text"\n'
    entry = manifest(tmp_path, text, "m.jsonl", unrecorded_calls=False)
    calls = found(tmp_path, entry)
    assert calls["a"].csat == 5.0
    assert calls["b"].problem is None
    assert "m.jsonl:2: malformed JSON" in str(calls["m-line-2"].problem)
    assert "m.jsonl:3: malformed JSON (not an object)" in str(calls["m-line-3"].problem)


def test_short_line_of_a_cdr(tmp_path):
    two_calls(tmp_path)
    (tmp_path / "Master.csv").write_text('"","7916","500"\n')
    calls = found(tmp_path, MetadataSource(kind="asterisk_cdr", file=str(tmp_path / "Master.csv")))
    assert "Master.csv:1: 3 fields where a call detail record has 16" in str(
        calls["cdr-line-1"].problem
    )
    assert set(calls) == {"a", "b", "cdr-line-1"}


def test_unrecorded_call_without_a_time(tmp_path):
    calls = found(two_calls(tmp_path), manifest(tmp_path, "call_id,agent_id\ngone,anna\n"))
    assert "m.csv:2: no started_at for a call without a recording" in str(calls["gone"].problem)


def test_copies_are_one_call(tmp_path):
    for folder in ("mon", "tue"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.wav").write_bytes(b"the same")
    assert found(tmp_path)["a"].uris == (str(tmp_path / "mon" / "a.wav"),)
    assert found(tmp_path)["a"].problem is None


def test_one_id_for_different_audio_names_both_files(tmp_path):
    two_calls(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.mp3").write_bytes(b"something else")
    calls = found(tmp_path)
    assert set(calls) == {"a", "b"}
    problem = str(calls["a"].problem)
    assert str(tmp_path / "a.wav") in problem
    assert str(tmp_path / "sub" / "a.mp3") in problem
    assert calls["b"].problem is None


def test_one_id_from_metadata_for_different_audio(tmp_path):
    two_calls(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.json").write_text('{"call_id": "same"}')
    problem = str(found(tmp_path, SIDECAR)["same"].problem)
    assert "a.wav" in problem
    assert "b.wav" in problem


def test_bad_legs(tmp_path):
    for name in ("1-tx.wav", "1-tx.mp3", "2-mix.wav", "3-tx.wav", "3-rx.wav"):
        (tmp_path / name).write_bytes(name.encode())
    calls = found(tmp_path, leg_pattern=r"(?P<call_id>\d)-(?P<leg>\w+)\.", legs=("tx", "rx"))
    assert "leg 'tx' is there twice" in str(calls["1"].problem)
    assert "leg 'mix' is not in source.legs" in str(calls["2"].problem)
    assert calls["3"].problem is None
    with pytest.raises(ConfigError, match=r"needs the named groups call_id and leg"):
        found(tmp_path, leg_pattern=r"(?P<call_id>\d)-(tx|rx)\.")


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("../../etc/passwd", "____etc_passwd"),
        ("a\x00b\nc\x1b[31m", "a_b_c_[31m"),
        ("..", "_"),
        ("C:\\calls\\1", "C:_calls_1"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("\ud800x", "?x"),
        ("  spaced out  ", "spaced out"),
        ("И\u0306од", "Йод"),
    ],
)
def test_ids_are_made_safe(tmp_path, raw, safe):
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / "a.json").write_text(json.dumps({"call_id": raw}))
    assert list(found(tmp_path, SIDECAR)) == [safe]


def test_names_in_any_script(tmp_path):
    names = ["звонок № 1.wav", unicodedata.normalize("NFD", "йод.wav"), "通話🎧.wav", "a b'c\".wav"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    calls = found(tmp_path)
    assert set(calls) == {"звонок № 1", "йод", "通話🎧", "a b'c\""}
    assert calls["йод"].uris == (str(tmp_path / names[1]),)
    assert Path(calls["йод"].uris[0]).exists()


def test_name_that_is_not_utf8(tmp_path):
    two_calls(tmp_path)
    (tmp_path / os.fsdecode(b"\xff\xe8.wav")).write_bytes(b"c")
    calls = found(tmp_path)
    (other,) = (call for name, call in calls.items() if name not in {"a", "b"})
    assert other.uris == ()
    assert r"\udcff\udce8.wav: file name is not UTF-8; rename the file" in str(other.problem)


def test_very_long_ids_stay_apart(tmp_path):
    two_calls(tmp_path)
    for name in "ab":
        (tmp_path / f"{name}.json").write_text(json.dumps({"call_id": "x" * 5000 + name}))
    calls = found(tmp_path, SIDECAR)
    assert len(calls) == 2
    assert all(len(name) <= 200 for name in calls)


@pytest.mark.parametrize(
    "screens",
    [
        [{"uri": "../secret.png", "start_ms": 0}],
        [{"uri": "/etc/passwd", "kind": "image", "start_ms": 0}],
        [{"uri": "x.exe", "start_ms": 0}],
        [{"uri": "x.png", "start_ms": -1}],
        [{"start_ms": 0}],
        "x.png",
    ],
)
def test_bad_screens_are_left_out(tmp_path, screens):
    (tmp_path / "calls").mkdir()
    (tmp_path / "calls" / "a.wav").write_bytes(b"a")
    (tmp_path / "calls" / "a.json").write_text(json.dumps({"screens": screens, "csat": 5}))
    call = found(tmp_path / "calls", SIDECAR)["a"]
    assert (call.screens, call.csat, call.problem) == ((), 5.0, None)
    assert "screens = " in notes(call)


def test_customer_number_leaks_nowhere(tmp_path):
    (tmp_path / "q-79161234567-1.wav").write_bytes(b"a")
    sidecar = {
        "customer_id": "8 (916) 123-45-67",
        "ani": "+7 916 123 45 67",
        "sip": {"from": "<sip:79161234567@pbx>"},
        "queue": "for 9161234567",
        "mood": "calm",
    }
    (tmp_path / "q-79161234567-1.json").write_text(json.dumps(sidecar))
    ((call_id, call),) = found(tmp_path, SIDECAR).items()
    assert call.customer_key is not None
    assert call_id == f"q-{call.customer_key[:12]}-1"
    assert call.queue == f"for {call.customer_key[:12]}"
    assert json.loads(str(call.extra)) == {"mood": "calm"}


def test_odd_types_in_a_sidecar(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"a")
    odd = {
        "call_id": ["x"],
        "customer_id": {"n": 1},
        "agent_id": {"id": 5},
        "csat": [5],
        "queue": "\ud800",
        "x\ud800": "\udfff",
        "n": float("nan"),
        "big": 10**30,
    }
    (tmp_path / "a.json").write_text(json.dumps(odd))
    call = found(tmp_path, SIDECAR)["a"]
    assert (call.agent_id, call.csat, call.customer_key, call.queue) == (None, None, None, "?")
    assert json.loads(str(call.extra))["n"] is None
