"""Sources → recordings: ids, times, roles, metadata from every kind of place."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from speechlytics.config import MetadataSource, SourceConfig
from speechlytics.records import Recording
from speechlytics.sources import customer_key, discover
from tests.data.audio.make import HERE

KEY = bytes(range(32))
NUMBER = "+79161234567"
PSEUDONYM = customer_key(NUMBER, KEY, "RU")


def touch(root: Path, *names: str, content: bytes | None = None) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() if content is None else content)
        os.utime(path, (1_790_000_000, 1_790_000_000))  # 2026-09-21 14:13:20 UTC


def found(root: Path | str, *metadata: MetadataSource, **settings) -> dict[str, Recording]:
    config = SourceConfig(path=str(root), metadata=metadata, **settings)
    recordings = list(discover(config, key=KEY))
    assert len({recording.call_id for recording in recordings}) == len(recordings)
    return {recording.call_id: recording for recording in recordings}


def manifest(path: Path, **settings) -> MetadataSource:
    return MetadataSource(kind="manifest", file=str(path), **settings)


def extra(recording: Recording) -> dict:
    return json.loads(recording.extra or "{}")


def test_folder_is_walked_and_filtered(tmp_path):
    touch(tmp_path, "b.wav", "a/c.MP3", "a/notes.txt", ".hidden.wav", "x.wav.part", "y.json")
    touch(tmp_path, "c.screens/1.mp4", ".cache/z.wav")
    (tmp_path / "folder.wav").mkdir()
    calls = found(tmp_path)
    assert list(calls) == ["c", "b"]
    assert calls["b"].uris == (str(tmp_path / "b.wav"),)
    assert calls["b"].started_at == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    assert calls["b"].started_local == datetime(2026, 9, 21, 17, 13, 20)  # Moscow
    assert calls["b"].roles == ("agent", "customer")


def test_glob_single_file_and_odd_folder_names(tmp_path):
    touch(tmp_path, "2026-11-01/a.wav", "2026-11-02/b.wav", "other/c.wav", "x[1]/d.wav")
    assert list(found(tmp_path / "2026-*" / "*.wav")) == ["a", "b"]
    assert list(found(tmp_path / "**" / "*.wav")) == ["a", "b", "c", "d"]
    assert list(found(tmp_path / "other" / "c.wav")) == ["c"]
    assert list(found(tmp_path / "x[1]")) == ["d"]


def test_fsspec_url_with_sidecars():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe_file("/calls/day/a.wav", b"a")
    memory.pipe_file("/calls/day/a.json", b'{"agent_id": "anna"}')
    memory.pipe_file("/calls/b.wav", b"b")
    sidecar = MetadataSource(kind="sidecar")
    for path in ("memory://calls", "memory://calls/**/*.wav"):
        calls = found(path, sidecar)
        assert calls["a"].uris == ("memory:///calls/day/a.wav",)
        assert calls["a"].agent_id == "anna"
    assert calls.keys() <= {"a", "b"}


def test_sidecar_gives_everything(tmp_path):
    touch(tmp_path, "a.wav", "shots/1.png")
    sidecar = {
        "call_id": "call/1",
        "started_at": "2026-11-22T23:50:00+03:00",
        "direction": "Входящий",
        "agent_id": 17,
        "team": "night",
        "customer_id": "8 (916) 123-45-67",
        "queue": "support",
        "answered": "yes",
        "wait_s": "12,5",
        "csat": "4",
        "disconnect_by": "caller",
        "transferred_from": "call-0",
        "language": "ru-RU",
        "roles": ["customer", "agent"],
        "screens": [{"uri": "shots/1.png", "start_ms": 500, "end_ms": 900}],
        "mood": {"score": 3},
    }
    (tmp_path / "a.json").write_text(json.dumps(sidecar))
    call = found(tmp_path, MetadataSource(kind="sidecar"))["call_1"]
    assert call.started_at == datetime(2026, 11, 22, 20, 50, tzinfo=UTC)
    assert call.call_date.isoformat() == "2026-11-22"  # belongs to its start
    assert (call.direction, call.agent_id, call.team) == ("inbound", "17", "night")
    assert call.customer_key == PSEUDONYM
    assert (call.queue, call.answered, call.wait_ms, call.csat) == ("support", True, 12500, 4.0)
    assert (call.disconnect_by, call.transferred_from) == ("customer", "call-0")
    assert call.language == "ru"
    assert (call.roles, call.role_source) == (("customer", "agent"), "metadata")
    (shot,) = call.screens
    assert (shot.uri, shot.kind) == (str(tmp_path / "shots/1.png"), "image")
    assert (shot.start_ms, shot.end_ms) == (500, 900)
    assert extra(call) == {"mood": {"score": 3}}
    assert call.problem is None


MANIFEST_ROWS = [
    {"file": "day/a.wav", "when": "22.11.2026 09:30", "who": "anna", "phone": "89161234567"},
    {"file": "/old/disk/b.wav", "when": "2026-11-22 10:00:00", "who": "boris", "phone": ""},
    {"file": "gone.wav", "when": "2026-11-22 11:00:00", "who": "", "phone": "79161234567"},
]
MAPPING = {"recording": "file", "started_at": "when", "agent_id": "who", "customer_id": "phone"}


def write_manifest(path: Path) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(MANIFEST_ROWS), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in MANIFEST_ROWS) + "\n\n")
    else:
        separator = {".csv": ";", ".tsv": "\t"}[path.suffix]
        lines = [separator.join(MANIFEST_ROWS[0])]
        lines += [separator.join(row.values()) for row in MANIFEST_ROWS]
        path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_manifest_of_every_kind(tmp_path, suffix):
    touch(tmp_path, "calls/day/a.wav", "calls/b.wav", "calls/c.wav")
    path = write_manifest(tmp_path / f"calls{suffix}")
    calls = found(tmp_path / "calls", manifest(path, columns=MAPPING))
    assert set(calls) == {"a", "b", "c", "gone"}
    assert calls["a"].started_local == datetime(2026, 11, 22, 9, 30)
    assert calls["a"].agent_id == "anna"
    assert calls["b"].agent_id == "boris"  # another folder, the same name
    assert calls["b"].customer_key is None
    assert calls["c"].agent_id is None
    gone = calls["gone"]
    assert (gone.uris, gone.problem) == ((), None)
    assert gone.customer_key == calls["a"].customer_key == PSEUDONYM
    assert all("9161234567" not in (call.extra or "") for call in calls.values())


def test_column_named_file_needs_no_mapping(tmp_path):
    touch(tmp_path, "x-1.wav")
    (tmp_path / "m.csv").write_text("call_id,file,team\n1,x-1.wav,blue\n")
    ((call_id, call),) = found(tmp_path, manifest(tmp_path / "m.csv")).items()
    assert (call_id, call.team, call.extra) == ("1", "blue", None)


def test_unrecorded_calls_can_be_left_out(tmp_path):
    touch(tmp_path, "calls/day/a.wav")
    path = write_manifest(tmp_path / "m.csv")
    entry = manifest(path, columns=MAPPING, unrecorded_calls=False)
    assert list(found(tmp_path / "calls", entry)) == ["a"]


def test_rows_of_one_name_in_two_folders_are_told_apart(tmp_path):
    touch(tmp_path, "mon/1.wav", "tue/1.wav")
    (tmp_path / "m.csv").write_text(
        "recording,call_id,queue\nmon/1.wav,m1,x\ntue/1.wav,t1,y\n/else/1.wav,e1,z\n"
    )
    calls = found(tmp_path, manifest(tmp_path / "m.csv"))
    assert {name: call.queue for name, call in calls.items() if call.uris} == {"m1": "x", "t1": "y"}


def test_later_places_fill_gaps_of_earlier_ones(tmp_path):
    touch(tmp_path, "a.wav")
    (tmp_path / "a.json").write_text('{"agent_id": "anna", "csat": "", "wait_s": "soon"}')
    (tmp_path / "m.csv").write_text("call_id,agent_id,csat,wait_s,team\na,boris,5,7,blue\n")
    call = found(tmp_path, MetadataSource(kind="sidecar"), manifest(tmp_path / "m.csv"))["a"]
    assert (call.agent_id, call.csat, call.wait_ms, call.team) == ("anna", 5.0, 7000, "blue")
    assert "wait_s = 'soon' is not a number" in extra(call)["metadata_problems"][0]


def test_file_name_pattern_over_the_path(tmp_path):
    touch(tmp_path, "2026-11-21/anna_0930_9.wav", "2026-11-22/anna_0930_9.wav")
    pattern = r"(?P<date>\d{4}-\d\d-\d\d)/(?P<agent_id>[^_]+)_(?P<time>\d{4})_(?P<desk>\d)\.wav$"
    by_path = r"(?P<call_id>\d{4}-\d\d-\d\d/.+)\.wav"
    calls = found(
        tmp_path,
        MetadataSource(kind="filename", pattern=pattern),
        MetadataSource(kind="filename", pattern=by_path),
    )
    call = calls["2026-11-22_anna_0930_9"]
    assert call.started_local == datetime(2026, 11, 22, 9, 30)
    assert (call.agent_id, extra(call)) == ("anna", {"desk": "9"})
    assert "2026-11-21_anna_0930_9" in calls


@pytest.mark.parametrize(
    ("name", "direction", "agent", "queue", "customer"),
    [
        ("external-201-79161234567", "inbound", "201", None, True),
        ("in-4951234567-89161234567", "inbound", None, None, True),
        ("q-500-+79161234567", "inbound", None, "500", True),
        ("rg-600-9161234567", "inbound", None, "600", True),
        ("out-89161234567-201", "outbound", "201", None, True),
        ("internal-202-201", "internal", "201", None, False),
        ("exten-202-201", "internal", "201", None, False),
    ],
)
def test_mixmonitor_names(tmp_path, name, direction, agent, queue, customer):
    touch(tmp_path, f"2026/11/22/{name}-20261122-093000-1795329000.42.wav")
    calls = found(tmp_path, MetadataSource(kind="filename", pattern="asterisk-mixmonitor"))
    ((call_id, call),) = calls.items()
    assert call.started_local == datetime(2026, 11, 22, 9, 30)
    assert (call.direction, call.agent_id, call.queue) == (direction, agent, queue)
    assert call.customer_key == (PSEUDONYM if customer else None)
    assert extra(call) == {"uniqueid": "1795329000.42"}
    # The name holds the number; the id and everything else do not.
    assert "9161234567" not in f"{call_id}{call.extra}"
    assert call_id.endswith("-20261122-093000-1795329000.42")


def test_asterisk_master_csv(tmp_path):
    touch(tmp_path, "calls/external-201-79161234567-20261122-093000-1795329000.42.wav")
    cdr = MetadataSource(kind="asterisk_cdr", file=str(HERE / "Master.csv"))
    recorded, abandoned, outbound = found(tmp_path / "calls", cdr).values()
    assert recorded.uris
    assert (recorded.direction, recorded.agent_id, recorded.answered) == ("inbound", "201", True)
    assert recorded.wait_ms == 20_000
    assert recorded.customer_key == PSEUDONYM
    assert (abandoned.call_id, abandoned.uris) == ("1795330800.43", ())
    assert (abandoned.answered, abandoned.queue, abandoned.wait_ms) == (False, "support", 90_000)
    assert abandoned.customer_key == PSEUDONYM
    assert (outbound.direction, outbound.agent_id, outbound.answered) == ("outbound", "201", False)
    assert outbound.customer_key == PSEUDONYM
    for call in (recorded, abandoned, outbound):
        assert call.problem is None
        assert "9161234567" not in f"{call.call_id}{call.extra}{call.queue}{call.agent_id}"
    assert recorded.started_at == datetime(2026, 11, 22, 6, 30, tzinfo=UTC)
    utc = MetadataSource(kind="asterisk_cdr", file=str(HERE / "Master.csv"), utc=True)
    assert next(iter(found(tmp_path / "calls", utc).values())).started_at == datetime(
        2026, 11, 22, 9, 30, tzinfo=UTC
    )


def test_legs_are_joined_in_order(tmp_path):
    touch(tmp_path, "1-tx.wav", "1-rx.wav", "1-mix.wav", "2-tx.wav", "3.wav")
    calls = found(
        tmp_path,
        leg_pattern=r"^(?P<call_id>\d+)-(?P<leg>rx|tx|mix)\.wav$",
        legs=("tx", "rx"),
    )
    assert [Path(uri).name for uri in calls["1"].uris] == ["1-tx.wav", "1-rx.wav"]
    assert calls["1"].roles == ("agent", "customer")
    assert calls["2"].roles == ("agent",)
    assert set(calls) == {"1", "2", "3"}


def test_lone_second_leg_keeps_its_role(tmp_path):
    touch(tmp_path, "1-rx.wav")
    settings = {"leg_pattern": r"(?P<call_id>\d+)-(?P<leg>\w+)\.wav", "legs": ("tx", "rx")}
    assert found(tmp_path, **settings)["1"].roles == ("customer",)


@pytest.mark.parametrize(
    ("zone", "written", "instant", "wall"),
    [
        # Put forward: 02:30 never was, and counts as 03:30.
        ("Europe/Budapest", "2026-03-29 02:30:00", "2026-03-29T01:30", "2026-03-29T03:30"),
        # Put back: 02:30 came twice, the first counts.
        ("Europe/Budapest", "2026-10-25 02:30:00", "2026-10-25T00:30", "2026-10-25T02:30"),
        ("Europe/Budapest", "2026-10-25T02:30:00+01:00", "2026-10-25T01:30", "2026-10-25T02:30"),
        ("Europe/Moscow", "22.11.2026 00:10", "2026-11-21T21:10", "2026-11-22T00:10"),
        ("Asia/Vladivostok", "20261122001000", "2026-11-21T14:10", "2026-11-22T00:10"),
        ("Europe/Moscow", "1795329000", "2026-11-22T06:30", "2026-11-22T09:30"),
        ("Europe/Moscow", "1795329000000", "2026-11-22T06:30", "2026-11-22T09:30"),
        ("Europe/Moscow", "2026-11-22T06:30:00Z", "2026-11-22T06:30", "2026-11-22T09:30"),
    ],
)
def test_times(tmp_path, zone, written, instant, wall):
    touch(tmp_path, "a.wav")
    (tmp_path / "a.json").write_text(json.dumps({"started_at": written}))
    call = found(tmp_path, MetadataSource(kind="sidecar"), zone=zone)["a"]
    assert call.started_at == datetime.fromisoformat(instant).replace(tzinfo=UTC)
    assert call.started_local == datetime.fromisoformat(wall)
    assert call.call_date == call.started_local.date()


def test_time_in_a_name_comes_before_the_file_time(tmp_path):
    touch(tmp_path, "call_20261122-093000.wav", "2026-11-22T10.15.00 x.wav", "99999999-999999.wav")
    calls = found(tmp_path)
    assert calls["call_20261122-093000"].started_local == datetime(2026, 11, 22, 9, 30)
    assert calls["2026-11-22T10.15.00 x"].started_local == datetime(2026, 11, 22, 10, 15)
    assert calls["99999999-999999"].started_local.year == 2026  # the file's own time
    assert calls["99999999-999999"].started_local.month == 9


def test_pictures_beside_the_recording(tmp_path):
    touch(tmp_path, "20261122-093000.wav")
    touch(tmp_path, "20261122-093000.screens/0.png", "20261122-093000.screens/2500ms.png")
    touch(tmp_path, "20261122-093000.screens/20261122-093010.jpg")
    touch(tmp_path, "20261122-093000.screens/12.5s.webm", "20261122-093000.screens/readme.txt")
    call = found(tmp_path)["20261122-093000"]
    assert [(Path(s.uri).name, s.kind, s.start_ms, s.end_ms) for s in call.screens] == [
        ("0.png", "image", 0, 2500),
        ("2500ms.png", "image", 2500, 10_000),
        ("20261122-093010.jpg", "image", 10_000, 12_500),
        ("12.5s.webm", "video", 12_500, 13_500),
    ]


def test_change_of_a_file_shows(tmp_path):
    touch(tmp_path, "1-rx.wav", "1-tx.wav", content=b"12345")
    settings = {"leg_pattern": r"(?P<call_id>\d+)-(?P<leg>\w+)\.wav"}
    before = found(tmp_path, **settings)["1"]
    assert before.audio_size_bytes == 10
    assert before.audio_modified_at == datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC)
    os.utime(tmp_path / "1-tx.wav", ns=(0, 1_790_000_001_123_456_789))
    after = found(tmp_path, **settings)["1"]
    assert after.audio_modified_at == datetime(2026, 9, 21, 14, 13, 21, 123456, tzinfo=UTC)


def test_discovery_is_repeatable(tmp_path):
    touch(tmp_path, "b.wav", "a/c.wav", "d.ogg")
    path = write_manifest(tmp_path / "m.csv")
    first, second = (found(tmp_path, manifest(path, columns=MAPPING)) for _ in range(2))
    assert first == second
