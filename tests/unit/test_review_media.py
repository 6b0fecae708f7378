"""Captures, videos and recordings that the review page sends, also from buckets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from speechlytics.config import AudioConfig
from speechlytics.errors import AudioError
from speechlytics.review import ReviewSettings, create_app, forget_cached
from speechlytics.review._cache import Cache
from speechlytics.review._media import Media
from speechlytics.review._shots import Thumb, around, shots_of
from speechlytics.store import Store
from tests.review_store import (
    DEMO,
    VIDEO_CALL,
    VIDEO_START_MS,
    analyses,
    png,
    shared,
)

Image = pytest.importorskip("PIL.Image", reason="Pillow is in the dev extra")


def grey(jpeg: bytes) -> int:
    """Mean brightness of a picture."""
    picture = Image.open(io.BytesIO(jpeg)).convert("L")
    pixels = picture.tobytes()
    return round(sum(pixels) / len(pixels))


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    settings = ReviewSettings(store=shared(), reviewer="anna")
    with TestClient(create_app(settings), base_url="http://localhost") as made:
        yield made


# --- videos -------------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [0, 7, 19, 36])
def test_a_frame_shows_its_second(client: TestClient, second: int) -> None:
    at_ms = 1000 * second + 500 - VIDEO_START_MS
    answer = client.get("/screen", params={"id": VIDEO_CALL, "n": 0, "t": at_ms})
    assert answer.headers["content-type"] == "image/jpeg"
    assert grey(answer.content) == pytest.approx(20 + 6 * second, abs=3)


def test_past_its_end_a_video_shows_its_last_picture(client: TestClient) -> None:
    answer = client.get("/screen", params={"id": VIDEO_CALL, "n": 0, "t": 999_999_999})
    assert grey(answer.content) == pytest.approx(20 + 6 * 36, abs=8)


def test_a_video_goes_out_by_range(client: TestClient) -> None:
    whole = client.get("/screen", params={"id": VIDEO_CALL, "n": 0})
    assert whole.headers["content-type"] == "video/webm"
    ranged = {"Range": "bytes=1000-1999"}
    part = client.get("/screen", params={"id": VIDEO_CALL, "n": 0}, headers=ranged)
    assert (part.status_code, part.content) == (206, whole.content[1000:2000])


@pytest.mark.parametrize("at", ["-1", "x", "1e3", "", "9" * 10, "١"])
def test_senseless_times_are_refused(client: TestClient, at: str) -> None:
    answer = client.get("/screen", params={"id": VIDEO_CALL, "n": 0, "t": at})
    assert answer.status_code == 404


def test_a_picture_has_no_frames(client: TestClient) -> None:
    assert client.get("/screen", params={"id": "demo-01", "n": 0, "t": 0}).status_code == 404


def shot(n: int, kind: str, start_ms: int, end_ms: int) -> dict[str, Any]:
    return {"n": n, "kind": kind, "start_ms": start_ms, "end_ms": end_ms}


def test_pictures_tell_of_a_silence_before_a_video_does() -> None:
    shots = [shot(n, "image", 1000 * n, 1000 * n + 1000) for n in range(20)]
    video = shot(20, "video", -5000, 60_000)
    assert [t.n for t in around([video, *shots], 3500, 16_500)] == [3, 7, 12, 16]
    assert around(shots, 3500, 16_500)[0] == Thumb(3, 3500)
    assert around(shots, 30_000, 40_000) == ()


def test_frames_of_a_video_lie_inside_the_silence_and_the_video() -> None:
    found = around([shot(0, "video", 12_000, 60_000)], 10_000, 20_000)
    assert [t.at_ms for t in found] == [13_000, 15_000, 17_000, 19_000]
    assert [t.video_ms for t in found] == [1000, 3000, 5000, 7000]
    assert around([shot(0, "video", 30_000, 60_000)], 10_000, 20_000) == ()


def test_captures_keep_their_place_in_the_store_when_sorted() -> None:
    stored = [{"start_ms": at, "uri": str(at)} for at in (2000, 0, 1000)]
    assert [(s["n"], s["uri"]) for s in shots_of({"screens": stored})] == [
        (1, "0"), (2, "1000"), (0, "2000"),
    ]  # fmt: skip


# --- buckets ------------------------------------------------------------------------------------


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Any]:
    """A bucket in memory, and a store whose calls point into it."""
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    sound = (DEMO / "demo-01.ogg").read_bytes()
    memory.pipe_file("/pbx/demo-01.ogg", sound)
    memory.pipe_file("/pbx/gsm.wav", (DEMO / "demo-06.wav").read_bytes())
    memory.pipe_file("/pbx/shot.png", png(1, 2, 3))
    memory.pipe_file("/pbx/page.html", b"<script>alert(1)</script>")
    yield memory
    memory.rm("/pbx", recursive=True)


def media(folder: Path, most_bytes: int = 1 << 30) -> Media:
    return Media(Cache(Store(folder), most_bytes), AudioConfig())


def call(uri: str, codec: str = "opus", **more: Any) -> dict[str, Any]:
    return {"call_id": "c", "recording_uri": uri, "codec": codec, **more}


def test_a_recording_in_a_bucket_is_played_as_it_is(bucket: Any, tmp_path: Path) -> None:
    sound = media(tmp_path).sound(call("memory://pbx/demo-01.ogg"))
    assert sound.media_type == "audio/ogg"
    assert sound.path.read_bytes() == (DEMO / "demo-01.ogg").read_bytes()
    assert sound.path.stat().st_mode & 0o077 == 0
    bucket.rm("/pbx/demo-01.ogg")  # copied once: the bucket is not asked again
    assert media(tmp_path).sound(call("memory://pbx/demo-01.ogg")).path == sound.path
    bucket.pipe_file("/pbx/demo-01.ogg", b"")
    assert forget_cached(Store(tmp_path), ["c"]) == 1
    assert not list((tmp_path / "_review").iterdir())


def test_gsm_in_a_bucket_is_made_playable(bucket: Any, tmp_path: Path) -> None:
    sound = media(tmp_path).sound(call("memory://pbx/gsm.wav", "gsm_ms"))
    assert sound.media_type == "audio/wav"
    assert sound.path.read_bytes().startswith(b"RIFF")


def test_captures_in_a_bucket_are_pictures_or_nothing(bucket: Any, tmp_path: Path) -> None:
    found = media(tmp_path).capture("c", "memory://pbx/shot.png")
    assert found is not None
    assert (found.media_type, found.path.read_bytes()) == ("image/png", png(1, 2, 3))
    for uri in ("memory://pbx/page.html", "memory://pbx/none.png"):
        assert media(tmp_path).capture("c", uri) is None


@pytest.mark.parametrize(
    "uri",
    ["http://127.0.0.1:9/x.png", "https://127.0.0.1:9/x.png", "ftp://127.0.0.1/x.png",
     "local:///etc/passwd", "simplecache::file:///etc/passwd", "data:image/png;base64,aaaa",
     "../x.png", "/dev/zero", "/proc/self/environ", "file:///etc/passwd", "x\0.png"],
)  # fmt: skip
def test_captures_elsewhere_are_not_asked_for(
    tmp_path: Path, uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr("speechlytics.review._cache.open_url", asked.append)
    assert media(tmp_path).capture("c", uri) is None
    assert asked == []


def test_a_bucket_that_fails_is_no_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(uri: str) -> Any:
        raise PermissionError("403: signature")

    monkeypatch.setattr("speechlytics.review._cache.open_url", refuse)
    with pytest.raises(AudioError, match=r"s3://pbx/a\.ogg: cannot be fetched"):
        media(tmp_path).sound(call("s3://pbx/a.ogg"))
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_larger_than_the_cache_is_not_copied(bucket: Any, tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="is larger than"):
        media(tmp_path, most_bytes=1000).sound(call("memory://pbx/demo-01.ogg"))
    assert not list((tmp_path / "_review").iterdir())


def test_the_cache_lets_the_oldest_go(bucket: Any, tmp_path: Path) -> None:
    size = (DEMO / "demo-01.ogg").stat().st_size
    small = media(tmp_path, most_bytes=size * 5 // 2)
    paths = [
        small.sound({**call("memory://pbx/demo-01.ogg"), "call_id": str(n)}).path for n in range(4)
    ]
    assert [path.exists() for path in paths] == [False, False, True, True]


def test_the_page_plays_a_call_whose_files_are_in_a_bucket(bucket: Any, tmp_path: Path) -> None:
    found = analyses(tmp_path, ["demo-01"])[0]
    shots = tuple(replace(one, uri="memory://pbx/shot.png") for one in found.recording.screens[:2])
    moved = replace(found.recording, uris=("memory://pbx/demo-01.ogg",), screens=shots)
    store = Store(tmp_path / "store")
    with store.writer("fixture") as writer:
        writer.add([replace(found, recording=moved)])
        writer.publish()
    with TestClient(create_app(ReviewSettings(store)), base_url="http://localhost") as client:
        part = client.get("/audio?id=demo-01", headers={"Range": "bytes=10-19"})
        whole = (DEMO / "demo-01.ogg").read_bytes()
        assert (part.status_code, part.content) == (206, whole[10:20])
        assert client.get("/screen?id=demo-01&n=1").content == png(1, 2, 3)
        assert len(client.get("/wave?id=demo-01").json()["outline"]["peaks"]) == 2
