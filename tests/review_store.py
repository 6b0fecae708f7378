"""A store for tests of the review page: shipped demo calls, their true words, real sound.

No speech model: the transcript is what was said. Silences are measured, phrases matched.
"""

from __future__ import annotations

import atexit
import json
import shutil
import struct
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from speechlytics.analyze import PrepareSettings, conclude, prepare
from speechlytics.config import ActivityConfig, AudioConfig, PhrasesConfig
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import (
    CallAnalysis,
    Recording,
    ScreenCapture,
    Segment,
    StageSha256,
    Transcript,
    Word,
)
from speechlytics.shipped import shipped
from speechlytics.store import Store

GSM = Path(__file__).parent / "data" / "audio"
DEMO = shipped("pipelines") / "demo" / "calls"
CALLS = ("demo-01", "demo-03", "demo-05", "demo-06")
HOSTILE_ID = 'x"><script>fetch("/hacked")</script>/../../etc/passwd'
HOSTILE = '<img src=x onerror="document.title=1"> {{7*7}} </textarea><script>alert(1)</script>'
SECRET = "Мой номер +7 916 123-45-67, почта anna@example.com, договор 48 16 04"
SILENCE_SCREEN_MS = 1000
"""Captures of demo-01 follow each other at this pace."""


def truth() -> dict[str, dict[str, Any]]:
    lines = (DEMO / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return {row["call_id"]: row for row in map(json.loads, lines)}


def manifest() -> dict[str, dict[str, str]]:
    import csv

    with (DEMO / "manifest.csv").open(encoding="utf-8") as stream:
        return {row["call_id"]: row for row in csv.DictReader(stream)}


def png(red: int, green: int, blue: int, width: int = 64, height: int = 40) -> bytes:
    """A picture of one colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    rows = (b"\0" + bytes((red, green, blue)) * width) * height
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def segments(turns: Sequence[dict[str, Any]], language: str) -> tuple[Segment, ...]:
    return tuple(
        Segment(
            segment_id=number,
            channel=turn["channel"],
            role=turn["role"],
            start_ms=round(1000 * turn["start_s"]),
            end_ms=round(1000 * turn["end_s"]),
            text=turn["text"],
            language=language,
            words=tuple(
                Word(word, round(1000 * start), round(1000 * end), 0.9)
                for word, start, end in turn["words"]
            ),
        )
        for number, turn in enumerate(turns)
    )


def recording(call_id: str, started_at: str, uris: tuple[str, ...], **more: Any) -> Recording:
    started = datetime.fromisoformat(started_at)
    local = started.replace(tzinfo=None)
    return Recording(
        call_id=call_id,
        uris=uris,
        started_at=started,
        started_local=local,
        call_date=local.date(),
        direction="inbound",
        answered=True,
        **more,
    )


def analysed(
    found: Recording, turns: Sequence[dict[str, Any]], language: str, matcher: Matcher
) -> CallAnalysis:
    settings = PrepareSettings(AudioConfig(), ActivityConfig(), None, None)
    prepared = prepare(found, settings)
    assert prepared.failure is None, prepared.failure
    transcript = Transcript(segments(turns, language), language, 0.98, "asr", "true words")
    return conclude(prepared, transcript, matcher, StageSha256("a", "t", "p"))


def screens(folder: Path, duration_ms: int) -> tuple[ScreenCapture, ...]:
    """One picture a second; its red grows with its ordinal."""
    folder.mkdir(parents=True, exist_ok=True)
    shots = []
    for number, start_ms in enumerate(range(0, duration_ms, SILENCE_SCREEN_MS)):
        path = folder / f"{start_ms}.png"
        path.write_bytes(png(min(255, 4 * number), 90, 160))
        end_ms = min(start_ms + SILENCE_SCREEN_MS, duration_ms)
        shots.append(ScreenCapture(str(path), "image", start_ms, end_ms))
    return tuple(shots)


VIDEO_CALL = "demo-06"
VIDEO_START_MS = -4000
"""The screen video of this call began before it did."""
VIDEO_FPS = 5


def screen_video(path: Path, duration_ms: int) -> ScreenCapture:
    """A WebM whose grey tells the second of the call that it shows: 20 + 6 per second."""
    import av
    import numpy as np

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx", rate=VIDEO_FPS)
        stream.width, stream.height, stream.pix_fmt = 160, 100, "yuv420p"
        stream.gop_size = 2 * VIDEO_FPS
        for number in range((duration_ms - VIDEO_START_MS) * VIDEO_FPS // 1000):
            second = (number * 1000 // VIDEO_FPS + VIDEO_START_MS) // 1000
            grey = np.full((100, 160, 3), max(0, 20 + 6 * second), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return ScreenCapture(str(path), "video", VIDEO_START_MS, duration_ms)


def hostile(day: str) -> CallAnalysis:
    """A call whose every text attacks the page, without a recording."""
    found = replace(
        recording(HOSTILE_ID, f"{day}T08:00:00+03:00", ()),
        uris=("/etc/passwd",),
        agent_id=HOSTILE,
        team=HOSTILE,
        queue=HOSTILE,
        transferred_from=HOSTILE,
        screens=(ScreenCapture("/etc/passwd", "image", 0, 5000),),
    )
    words = tuple(
        Word(word, 500 * i, 500 * i + 400, 0.3)
        for i, word in enumerate([*HOSTILE.split(), *SECRET.split()])
    )
    said = Segment(0, 1, "customer", 0, 20_000, f"{HOSTILE} {SECRET}", words=words)
    return CallAnalysis(
        found, "ok", transcript=Transcript((said,), "ru", 0.9, "import", None), hits=()
    )


def analyses(folder: Path, calls: Sequence[str] = CALLS) -> list[CallAnalysis]:
    packs = load_packs()
    matcher = Matcher(packs, PhrasesConfig())
    known, rows = truth(), manifest()
    made = []
    for call_id in calls:
        told, row = known[call_id], rows.get(call_id, {})
        duration_ms = round(1000 * told["duration_s"])
        shots: tuple[ScreenCapture, ...] = ()
        if call_id == "demo-01":
            shots = screens(folder / "screens", duration_ms)
        elif call_id == VIDEO_CALL:
            shots = (screen_video(folder / "screen.webm", duration_ms),)
        found = recording(
            call_id,
            told["started_at"],
            (str(DEMO / told["file"]),),
            agent_id=row.get("agent_id"),
            team="north",
            queue=row.get("queue"),
            wait_ms=1000 * int(row.get("wait_s") or 0),
            csat=float(row["csat"]) if row.get("csat") else None,
            customer_key="customer-of-demo-01" if call_id in {"demo-01", "demo-05"} else call_id,
            screens=shots,
        )
        made.append(analysed(found, told["turns"], told["language"], matcher))
    told = json.loads((GSM / "gsm-call.json").read_text(encoding="utf-8"))
    legs = tuple(str(GSM / told["files"][role]) for role in ("agent", "customer"))
    found = recording("gsm", told["started_at"], legs, agent_id="A02", queue="billing")
    made.append(analysed(found, told["turns"], told["language"], matcher))
    return made


def build(folder: Path, calls: Sequence[str] = CALLS, *, attacked: bool = True) -> Store:
    """Write the store; all calls on one day, so that one queue shows them."""
    store = Store(folder / "store")
    made = analyses(folder, calls)
    day = made[0].recording.call_date
    moved = []
    for number, one in enumerate(made):
        shift = timedelta(days=(one.recording.call_date - day).days)
        local = one.recording.started_local - shift
        moved.append(
            replace(
                one,
                recording=replace(
                    one.recording,
                    started_local=local,
                    started_at=one.recording.started_at - shift + timedelta(minutes=number),
                    call_date=day,
                ),
            )
        )
    if attacked:
        moved.append(hostile(day.isoformat()))
    with store.writer("fixture") as writer:
        writer.add(moved)
        writer.publish()
    store.replace_rules([{**row, "run_id": "fixture"} for row in load_packs().rules_table()])
    return store


@cache
def shared() -> Store:
    """The store that all tests of one process share; it goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="speechlytics-review-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return build(folder)
