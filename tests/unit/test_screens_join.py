"""Screen captures and calls: by agent, call id and time, on the recording's clock."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechlytics import config
from speechlytics.config import ScreensConfig, SourceConfig
from speechlytics.errors import AudioError, ConfigError, SourceError
from speechlytics.nightly._plan import Known, Selection, metadata_of, plan
from speechlytics.records import Recording, ScreenCapture, StageSha256
from speechlytics.screens import agent_folder, agent_of, frame_name
from speechlytics.sources import Captures, Shot, captures_during, discover, open_captures

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KEY = b"k" * 32


def call(agent: str | None = "A07", start: datetime = START, call_id: str = "c1") -> Recording:
    local = start.replace(tzinfo=None)
    return Recording(call_id, (f"/{call_id}.wav",), start, local, local.date(), agent_id=agent)


def frame(
    root: Path, agent: str, at: datetime, *, until: datetime | None = None, monitor: int = 1
) -> Path:
    """A picture as the recorder leaves it: last seen unchanged at ``until``."""
    folder = root / agent_folder(agent) / f"{at:%Y-%m-%d}"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / frame_name(agent, at, monitor, ".png")
    path.write_bytes(b"\x89PNG\r\n\x1a\n")
    seen = (until or at).timestamp()
    os.utime(path, (seen, seen))
    return path


def after(seconds: float, start: datetime = START) -> datetime:
    return start + timedelta(seconds=seconds)


def opened(root: Path, zone: str = "UTC", **settings: object) -> Captures:
    screens = ScreensConfig(folder=str(root), **settings)  # type: ignore[arg-type]  # test kwargs
    found = open_captures(SourceConfig(path="/calls", zone=zone, screens=screens))
    assert found is not None
    return found


def spans(found: Recording) -> list[tuple[str, int, int]]:
    return [(Path(s.uri).name, s.start_ms, s.end_ms) for s in found.screens]


def test_only_this_agents_pictures_of_this_call(tmp_path: Path) -> None:
    frame(tmp_path, "A07", after(-60), until=after(-30))  # seen no longer when the call began
    before = frame(tmp_path, "A07", after(-10), until=after(4))
    inside = frame(tmp_path, "A07", after(5), until=after(20))
    frame(tmp_path, "A07", after(61), until=after(70))  # after the call
    frame(tmp_path, "A08", after(5), until=after(20))
    found = opened(tmp_path).joined(call(), 60_000)
    assert spans(found) == [(before.name, 0, 4000), (inside.name, 5000, 20_000)]
    assert {s.kind for s in found.screens} == {"image"}


def test_a_picture_ends_at_the_next_and_with_the_call(tmp_path: Path) -> None:
    # file times that a copy has lost: both "seen" for hours
    one = frame(tmp_path, "A07", after(1), until=after(9999))
    two = frame(tmp_path, "A07", after(7.5), until=after(9999))
    found = opened(tmp_path).joined(call(), 20_000)
    assert spans(found) == [(one.name, 1000, 7500), (two.name, 7500, 20_000)]


def test_monitors_do_not_end_each_other(tmp_path: Path) -> None:
    left = frame(tmp_path, "A07", after(1), until=after(9), monitor=1)
    right = frame(tmp_path, "A07", after(3), until=after(9), monitor=2)
    assert spans(opened(tmp_path).joined(call(), 60_000)) == [
        (left.name, 1000, 9000),
        (right.name, 3000, 9000),
    ]


def test_a_call_across_midnight(tmp_path: Path) -> None:
    """Across midnight of the captures' UTC days, and of the centre's own day."""
    midnight = datetime(2026, 11, 23, tzinfo=UTC)
    for start in (midnight - timedelta(seconds=30), midnight - timedelta(hours=3, seconds=30)):
        root = tmp_path / f"{start:%H}"
        old = frame(root, "A07", after(-5, start), until=after(29, start))
        new = frame(root, "A07", after(31, start), until=after(50, start))
        found = opened(root, "Europe/Moscow").joined(call(start=start), 60_000)
        assert spans(found) == [(old.name, 0, 29_000), (new.name, 31_000, 50_000)]


@pytest.mark.parametrize(
    ("utc", "zone", "wall"),
    [
        (False, "Europe/Moscow", "20261122-120005"),
        (False, "Europe/Budapest", "20261122-100005"),
        (True, "Europe/Moscow", "20261122-090005"),
    ],
)
def test_another_recorders_names_in_local_time(
    tmp_path: Path, utc: bool, zone: str, wall: str
) -> None:
    (tmp_path / "Anna").mkdir()
    (tmp_path / "Anna" / f"{wall}.jpg").touch()
    (tmp_path / "Anna" / "notes.txt").touch()
    pattern = r"(?P<agent_id>[^/]+)/(?P<time>\d{8}-\d{6})"
    found = opened(tmp_path, zone, pattern=pattern, utc=utc).joined(call("Anna"), 60_000)
    assert spans(found) == [(f"{wall}.jpg", 5000, 6000)]


def test_a_foreign_picture_lasts_until_the_next_but_not_for_ever(tmp_path: Path) -> None:
    (tmp_path / "Anna").mkdir()
    for wall in ("20261122-090000", "20261122-090010", "20261122-093000"):
        (tmp_path / "Anna" / f"{wall}.jpg").touch()
    pattern = r"(?P<agent_id>[^/]+)/(?P<time>\d{8}-\d{6})"
    found = opened(tmp_path, pattern=pattern).joined(call("Anna"), 1_000_000)
    assert [(start, end) for _, start, end in spans(found)] == [(0, 10_000), (10_000, 310_000)]


def test_a_call_id_in_the_name_decides(tmp_path: Path) -> None:
    (tmp_path / "c1_20261122-090003.png").touch()
    (tmp_path / "c2_20261122-090004.png").touch()
    shelf = opened(tmp_path, pattern=r"(?P<call_id>\w+?)_(?P<time>\d{8}-\d{6})")
    for agent in ("A07", None):
        assert spans(shelf.joined(call(agent), 10_000)) == [("c1_20261122-090003.png", 3000, 4000)]


def test_what_the_metadata_lists_comes_first(tmp_path: Path) -> None:
    frame(tmp_path, "A07", after(1))
    own = (ScreenCapture("/x.png", "image", 0, 5),)
    recording = Recording(
        "c1", ("/c1.wav",), START, START.replace(tzinfo=None), START.date(), screens=own
    )
    assert opened(tmp_path).joined(recording, 60_000).screens == own


@pytest.mark.parametrize("duration_ms", [None, 0])
def test_no_length_no_captures(tmp_path: Path, duration_ms: int | None) -> None:
    frame(tmp_path, "A07", after(1), until=after(30))
    assert opened(tmp_path).joined(call(), duration_ms).screens == ()


def video(path: Path, seconds: int, *, format_name: str | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format=format_name) as out:
        stream = out.add_stream("mpeg4", rate=2)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for number in range(seconds * 2):
            picture = av.VideoFrame.from_ndarray(np.full((32, 32, 3), number, np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 2)
            out.mux(stream.encode(picture))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_keeps_its_own_clock(tmp_path: Path, suffix: str) -> None:
    """Begun 5 s before the call, 20 s long; the one before ended in time, the other never met."""
    video(tmp_path / f"A07_20261122T085900Z{suffix}", 20)
    video(tmp_path / f"A07_20261122T085955Z{suffix}", 20)
    video(tmp_path / f"A08_20261122T085955Z{suffix}", 20)
    found = opened(tmp_path).joined(call(), 60_000)
    assert spans(found) == [(f"A07_20261122T085955Z{suffix}", -5000, 15_000)]
    assert found.screens[0].kind == "video"


def test_a_videos_sidecar_tells_agent_and_time(tmp_path: Path) -> None:
    video(tmp_path / "day" / "shift.mp4", 4)
    (tmp_path / "day" / "shift.json").write_text(
        json.dumps({"agent_id": "A07", "started_at": "2026-11-22T12:00:10+03:00"})
    )
    video(tmp_path / "day" / "other.mp4", 4)
    pattern = r"(?P<agent_id>\w+)_(?P<time>\d{8}T\d{6}Z)"
    assert spans(opened(tmp_path, pattern=pattern).joined(call(), 60_000)) == [
        ("shift.mp4", 10_000, 14_000)
    ]


def test_a_video_that_was_cut_off_lasts_until_its_last_write(tmp_path: Path) -> None:
    path = tmp_path / "A07_20261122T090001Z.mp4"
    path.write_bytes(b"not finished")
    os.utime(path, (after(9).timestamp(), after(9).timestamp()))
    assert spans(opened(tmp_path).joined(call(), 60_000)) == [(path.name, 1000, 9000)]


def test_length_of_what_is_no_video(tmp_path: Path) -> None:
    from speechlytics.audio import video_length_ms

    playlist = tmp_path / "a.mp4"
    playlist.write_text(f"ffconcat version 1.0\nfile '{video(tmp_path / 'b.mp4', 3)}'\n")
    with pytest.raises(AudioError, match=r"a\.mp4"):
        video_length_ms(str(playlist))
    assert video_length_ms(str(tmp_path / "b.mp4")) == 3000


def test_strange_files_are_passed_over(tmp_path: Path) -> None:
    good = frame(tmp_path, "A07", after(1), until=after(5))
    folder = good.parent
    (folder / f".{good.name}.part").touch()
    (folder / "A07_20261399T090001.000Z_m1.png").touch()  # no such day
    (folder / "A07_20261122T090002.000Z_m1.txt").touch()
    (folder / "picture.png").touch()
    (folder / "picture.json").write_text("{broken")
    (folder / "A07_20261122T090003.000Z_m1.png").symlink_to("/etc/hostname")
    assert spans(opened(tmp_path).joined(call(), 60_000)) == [(good.name, 1000, 5000)]


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"source\.screens\.folder = .*nowhere"):
        opened(tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"source\.screens\.folder = .*nowhere"):
        opened(tmp_path / "nowhere", pattern=r"(?P<agent_id>x)")


def test_pattern_without_groups(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="agent_id or call_id"):
        opened(tmp_path, pattern=r"(?P<time>\d+)")


def test_pipeline_file_names_the_folder(tmp_path: Path) -> None:
    file = tmp_path / "pipeline.toml"
    file.write_text('[source]\npath = "calls"\n[source.screens]\nfolder = "captures"\n')
    screens = config.load(file).source.screens
    assert screens == ScreensConfig(folder=str(tmp_path / "captures"))
    file.write_text('[source]\npath = "c"\n[source.screens]\nfolder = "d"\npattern = "("\n')
    with pytest.raises(ConfigError, match=r"source\.screens\.pattern"):
        config.load(file)


def test_captured_videos_are_no_recordings(tmp_path: Path) -> None:
    (tmp_path / "captures" / "A07").mkdir(parents=True)
    (tmp_path / "captures" / "A07" / "A07_20261122T085955Z.mp4").touch()
    (tmp_path / "call.wav").touch()
    screens = ScreensConfig(folder=str(tmp_path / "captures"))
    source = SourceConfig(path=str(tmp_path), screens=screens)
    assert [found.call_id for found in discover(source, key=KEY)] == ["call"]


@pytest.fixture
def known_call(tmp_path: Path) -> tuple[Captures, Recording, Known]:
    frame(tmp_path, "A07", after(1), until=after(30))
    captures, recording = opened(tmp_path), call()
    stored = metadata_of(captures.joined(recording, 20_000))
    sha256 = StageSha256("a", None, None)
    known = Known("ok", None, None, None, sha256, recording.call_date, stored, duration_ms=20_000)
    return captures, recording, known


def test_a_joined_call_is_done_until_its_captures_change(
    tmp_path: Path, known_call: tuple[Captures, Recording, Known]
) -> None:
    captures, recording, known = known_call
    settings = known.stage_sha256

    def task(join: Captures) -> tuple[str, str]:
        (found,) = plan([recording], {"c1": known}, settings, Selection(), join.joined)
        return found.action, found.why

    assert task(captures) == ("nothing", "done")
    frame(tmp_path, "A07", after(31))  # after the call
    assert task(opened(tmp_path)) == ("nothing", "done")
    frame(tmp_path, "A07", after(12))
    assert task(opened(tmp_path)) == ("rescore", "metadata changed: screens")


SHOTS = st.builds(
    Shot,
    uri=st.uuids().map(str),
    kind=st.sampled_from(["image", "video"]),
    start_ms=st.integers(-100_000, 100_000).map(lambda ms: round(START.timestamp()) * 1000 + ms),
    lane=st.sampled_from(["1", "2"]),
    length_ms=st.integers(0, 50_000),
)


@given(st.lists(SHOTS, max_size=30, unique_by=lambda s: (s.kind, s.lane, s.start_ms)),
       st.integers(1, 90_000))  # fmt: skip
def test_join_shows_at_every_moment_what_was_on_the_screen(
    shots: list[Shot], duration_ms: int
) -> None:
    """Against a second reading: at a moment, of each monitor the latest capture still true."""
    found = captures_during(shots, START, duration_ms, lambda s: s.start_ms + (s.length_ms or 0))
    assert list(found) == sorted(found, key=lambda c: (c.start_ms, c.uri))
    origin = round(START.timestamp()) * 1000
    for moment in range(0, duration_ms, max(1, duration_ms // 25)):
        expected = set()
        for lane in ("1", "2"):
            earlier = [s for s in shots if s.kind == "image" and s.lane == lane]
            earlier = [s for s in earlier if s.start_ms <= origin + moment]
            if earlier:
                last = max(earlier, key=lambda s: s.start_ms)
                if origin + moment < last.start_ms + max(1000, last.length_ms or 0):
                    expected.add(last.uri)
        shown = {c.uri for c in found if c.kind == "image" and c.start_ms <= moment < c.end_ms}
        assert shown == expected
    for capture in found:
        assert capture.start_ms < duration_ms
        assert capture.end_ms > 0


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_agent_folders_are_safe_and_reversible(agent: str) -> None:
    import unicodedata

    folder = agent_folder(agent)
    assert agent_of(folder) == unicodedata.normalize("NFC", agent)
    assert not set(folder) & set('/\\:*?"<>|\0\n')
    assert folder not in {"", ".", ".."}
    assert not folder.startswith(".")
