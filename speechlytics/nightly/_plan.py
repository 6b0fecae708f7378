"""What a run has to do: source against store.

A call is *analysed* (again) when it is new, its audio changed, or a setting of the acoustic or
speech stages changed; it is *rescored* (no audio, no speech model) when only the phrase packs
or its metadata changed. A failed call waits until something changed or ``retry_failed`` asks,
except where the source itself was out of reach: that is tried again every night.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import numpy as np

from speechlytics.records import Recording, StageSha256
from speechlytics.store import Forgotten

Action = Literal["analyze", "rescore", "nothing"]

# what a manifest may correct after the night on which the call was analysed
METADATA = (
    "started_at",
    "started_local",
    "direction",
    "agent_id",
    "team",
    "customer_key",
    "queue",
    "answered",
    "wait_ms",
    "csat",
    "disconnect_by",
    "transferred_from",
    "screens",
    "extra",
)


@dataclass(frozen=True, slots=True)
class Known:
    """What the store holds of a call: its status, inputs, settings and metadata."""

    status: str
    failed_stage: str | None
    audio_size_bytes: int | None
    audio_modified_at: datetime | None
    stage_sha256: StageSha256
    call_date: date
    metadata: Mapping[str, Any]
    duration_ms: int | None = None


Join = Callable[[Recording, int | None], Recording]
"""Adds what depends on a call's length (its screen captures): recording, duration → recording."""


@dataclass(frozen=True, slots=True)
class Task:
    """One call and what to do with it; ``stored_date`` is the day under which it is stored."""

    recording: Recording
    action: Action
    why: str
    stored_date: date | None = None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which calls of the source a run takes; ``None`` takes all."""

    day: date | None = None
    since: date | None = None
    limit: int | None = None
    retry_failed: bool = False

    def takes(self, recording: Recording) -> bool:
        """Whether the call's day is wanted."""
        if self.day is not None and recording.call_date != self.day:
            return False
        return self.since is None or recording.call_date >= self.since


def without_forgotten(recordings: Iterable[Recording], forgotten: Forgotten) -> Iterator[Recording]:
    """The recordings that may come in; none of them names a forgotten call."""
    for recording in recordings:
        if forgotten.of(recording):
            continue
        before = recording.transferred_from
        if before is not None and forgotten.call(before):
            yield replace(recording, transferred_from=None)
        else:
            yield recording


def plan(
    recordings: Iterable[Recording],
    known: Mapping[str, Known],
    settings: StageSha256,
    selection: Selection,
    join: Join | None = None,
) -> Iterator[Task]:
    """Yield a task per selected call, the ones with nothing to do among them."""
    started = 0
    for recording in recordings:
        if not selection.takes(recording):
            continue
        stored = known.get(recording.call_id)
        task = _task(recording, stored, settings, selection.retry_failed, join)
        if task.action != "nothing":
            if selection.limit is not None and started >= selection.limit:
                return
            started += 1
        yield task


def _task(
    recording: Recording,
    known: Known | None,
    settings: StageSha256,
    retry_failed: bool,
    join: Join | None,
) -> Task:
    if why := _why_analyze(recording, known, settings, retry_failed):
        return Task(recording, "analyze", why)
    assert known is not None
    if join is not None:
        recording = join(recording, known.duration_ms)
    packs = settings.phrases
    scored = known.status in ("ok", "no_speech") and packs is not None
    if scored and known.stage_sha256.phrases != packs:
        return Task(recording, "rescore", "phrase packs changed", known.call_date)
    now = metadata_of(recording)
    changed = [name for name in METADATA if now[name] != known.metadata[name]]
    if changed:
        why = f"metadata changed: {', '.join(changed)}"
        return Task(recording, "rescore", why, known.call_date)
    return Task(recording, "nothing", "done", known.call_date)


def _why_analyze(
    recording: Recording, known: Known | None, settings: StageSha256, retry_failed: bool
) -> str | None:
    if known is None:
        return "new"
    if known.status == "failed" and retry_failed:
        return "failed before"
    if known.status == "failed" and known.failed_stage == "source" and not recording.problem:
        return "the source was out of reach"
    before = (known.audio_size_bytes, known.audio_modified_at)
    if before != (recording.audio_size_bytes, recording.audio_modified_at):
        return "the audio changed"
    return _why_settings(known.stage_sha256, settings) if recording.uris else None


def _why_settings(stored: StageSha256, wanted: StageSha256) -> str | None:
    if stored.activity != wanted.activity:
        return "settings of decoding or activity changed"
    # an acoustic-only run never throws away a transcript
    if wanted.transcript is not None and stored.transcript != wanted.transcript:
        return "settings of the speech model changed"
    return None


def metadata_of(recording: Recording) -> dict[str, Any]:
    """A recording's metadata, in the precision that the store keeps."""
    values = {name: getattr(recording, name) for name in METADATA}
    if values["csat"] is not None:
        values["csat"] = float(np.float32(values["csat"]))
    values["screens"] = [asdict(screen) for screen in recording.screens]
    return values
