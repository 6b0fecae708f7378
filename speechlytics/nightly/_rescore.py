"""Changed packs or metadata over what is stored: no audio, no speech model.

A stored call is put back into the records that the stages work on, goes through the same
phrase and context stages as on its night, and is published again. The result is the one that a
full run would give.
"""

from __future__ import annotations

import contextlib
import gc
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.analyze import with_phrases
from speechlytics.config import PhrasesConfig, digest
from speechlytics.config import replace as replace_section
from speechlytics.phrases import Matcher, PackSet
from speechlytics.records import (
    AudioFacts,
    CallActivity,
    CallAnalysis,
    Failure,
    Recording,
    ScreenCapture,
    Segment,
    Silence,
    StageSha256,
    Transcript,
)
from speechlytics.store import Store, Writer, segments_of, silences_of, tables_from

BATCH_CALLS = 250
"""Calls whose records are alive at once while packs are applied."""
_RECORDING_COLUMNS = tuple(
    field.name
    for field in fields(Recording)
    if field.name not in ("uris", "roles", "language", "screens", "problem")
)


_HEARD_COLUMNS = (
    "call_id",
    "segment_id",
    "channel",
    "role",
    "start_ms",
    "end_ms",
    "text",
    "language",
    "suspect",
    "words",
)  # what phrases and context look at; the rest of a segment stays where it is


def rescored(
    store: Store,
    wanted: Mapping[str, Recording | None],
    days: Mapping[str, date],
    matcher: Matcher,
    sha256: str | None,
) -> Iterator[CallAnalysis]:
    """Yield the wanted stored calls, analysed again from their text, day by day.

    Args:
        store: Where they are.
        wanted: ``call_id`` → recording with fresh metadata, or ``None`` to keep what is stored.
        days: ``call_id`` → call date under which it is stored.
        matcher: The packs to apply.
        sha256: Their digest, to be stored with the calls; ``None`` keeps what is stored.
    """
    by_day: dict[date, list[str]] = defaultdict(list)
    for call_id in wanted:
        by_day[days[call_id]].append(call_id)
    for day, call_ids in sorted(by_day.items()):
        rows = store.read("calls", days=[day], call_ids=call_ids).to_pylist()
        segments = store.read_segments(day)
        silences = store.read_silences(day)
        for row in rows:
            call_id = row["call_id"]
            stored = stored_analysis(row, segments.get(call_id, ()), silences.get(call_id, ()))
            fresh = wanted[call_id]
            phrases = sha256 or stored.stage_sha256.phrases
            stages = replace(stored.stage_sha256, phrases=phrases)
            analysis = replace(stored, recording=fresh or stored.recording, stage_sha256=stages)
            yield with_phrases(analysis, matcher) if sha256 else analysis


def phrases_sha256(packs: PackSet, config: PhrasesConfig) -> str:
    """Digest of all that decides about phrase hits; where the packs lie does not."""
    return digest(replace_section(config, packs=()), packs.sha256)


def rescore(
    store: Store,
    packs: PackSet,
    config: PhrasesConfig,
    days: Iterable[date] | None = None,
) -> tuple[int, int]:
    """Apply packs to every stored transcript that was scored with others.

    Args:
        store: The store; its lock is taken.
        packs: What to listen with.
        config: How forgivingly.
        days: Only calls of these days.

    Returns:
        Calls scored again, and calls that were up to date.

    Raises:
        StoreLocked: a run is at work on this store.
    """
    phrases = phrases_sha256(packs, config)
    matcher = Matcher(packs, config)
    run_id = f"rescore-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    done = current = 0
    with store.writer(run_id) as writer:
        for day in store.days() if days is None else days:
            stale, fresh = _stale(store, day, phrases)
            current += fresh
            if stale:
                writer.publish(_day_tables(store, day, stale, matcher, phrases, run_id))
            build_postings(store, writer, day)
            done += len(stale)
        store.replace_rules([{**row, "run_id": run_id} for row in packs.rules_table()])
        writer.tidy()
    return done, current


def _day_tables(
    store: Store, day: date, call_ids: Sequence[str], matcher: Matcher, sha256: str, run_id: str
) -> dict[str, pa.Table]:
    """What changed packs change: all rows of these calls but their segments.

    Records live for a batch of calls only, so that memory follows the text of a day, not the
    objects that the matcher wants of it.
    """
    rows = store.read("calls", days=[day], call_ids=call_ids).to_pylist()
    segments = store.read("segments", days=[day], call_ids=call_ids, columns=_HEARD_COLUMNS)
    silences = store.read("silences", days=[day], call_ids=call_ids)
    parts = []
    for first in range(0, len(rows), BATCH_CALLS):
        with _collector_paused():
            batch = rows[first : first + BATCH_CALLS]
            own = pa.array([row["call_id"] for row in batch], pa.string())
            said = segments_of(segments.filter(pc.is_in(segments.column("call_id"), own)))
            quiet = silences_of(silences.filter(pc.is_in(silences.column("call_id"), own)))
            stored = (
                stored_analysis(row, said.get(row["call_id"], ()), quiet.get(row["call_id"], ()))
                for row in batch
            )
            scored = [
                with_phrases(
                    replace(one, stage_sha256=replace(one.stage_sha256, phrases=sha256)), matcher
                )
                for one in stored
            ]
            parts.append(tables_from(scored, run_id, segments=False))
            del said, quiet, scored
    return {name: pa.concat_tables([part[name] for part in parts]) for name in parts[0]}


@contextlib.contextmanager
def _collector_paused() -> Iterator[None]:
    """Make many records without the cyclic garbage collector.

    They are trees that reference counts free; looking through them for cycles while they grow
    costs twice what making them does.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect(1)


def build_postings(store: Store, writer: Writer, day: date) -> int:
    """Make a day's calls searchable that were published before there were postings.

    Returns:
        How many calls that were.
    """
    said, found = (
        set(store.read(name, days=[day], columns=["call_id"])["call_id"].unique().to_pylist())
        for name in ("segments", "postings")
    )
    if said <= found:
        return 0
    texts = store.read("segments", days=[day], call_ids=said - found, columns=["call_id", "text"])
    spoken = texts.filter(pc.match_substring_regex(texts["text"], r"[\p{L}\p{N}]"))
    missing = sorted(spoken["call_id"].unique().to_pylist())
    if missing:
        writer.publish(
            {name: store.read(name, days=[day], call_ids=missing) for name in ("calls", "segments")}
        )
    return len(missing)


def _stale(store: Store, day: date, phrases: str) -> tuple[list[str], int]:
    columns = ["call_id", "transcript_source", "stage_sha256"]
    rows = store.read("calls", days=[day], columns=columns).to_pylist()
    heard = [row for row in rows if row["transcript_source"] is not None]
    stale = [
        row["call_id"] for row in heard if (row["stage_sha256"] or {}).get("phrases") != phrases
    ]
    return stale, len(heard) - len(stale)


def stored_analysis(
    row: Mapping[str, Any], segments: tuple[Segment, ...], silences: tuple[Silence, ...]
) -> CallAnalysis:
    """A stored call as records; the intervals of its activity are not stored and stay empty."""
    heard = row["transcript_source"] is not None
    measured = row["duration_ms"] is not None and row["status"] in ("ok", "no_speech")
    return CallAnalysis(
        recording=_recording(row),
        status=row["status"],
        facts=_facts(row),
        activity=CallActivity(
            duration_ms=row["duration_ms"],
            channels=(),
            silences=silences,
            agent_talk_ms=row["agent_talk_ms"],
            customer_talk_ms=row["customer_talk_ms"],
            overtalk_ms=row["overtalk_ms"],
            overtalk_count=row["overtalk_count"],
        )
        if measured
        else None,
        transcript=Transcript(
            segments,
            row["language"],
            row["language_probability"],
            row["transcript_source"],
            row["model_id"],
        )
        if heard
        else None,
        failure=Failure(row["failed_stage"], row["error"]) if row["failed_stage"] else None,
        stage_sha256=StageSha256(**(row["stage_sha256"] or {})),
    )


def _recording(row: Mapping[str, Any]) -> Recording:
    uris = row["leg_uris"] or ([row["recording_uri"]] if row["recording_uri"] else [])
    return Recording(
        uris=tuple(uris),
        language=row["language"],
        screens=tuple(ScreenCapture(**screen) for screen in row["screens"] or ()),
        **{name: row[name] for name in _RECORDING_COLUMNS},
    )


def _facts(row: Mapping[str, Any]) -> AudioFacts | None:
    if row["audio_sha256"] is None:
        return None
    return AudioFacts(
        audio_sha256=row["audio_sha256"],
        codec=row["codec"],
        sampling_rate_hz=row["sampling_rate_hz"],
        channels=row["channels"],
        duration_ms=row["duration_ms"],
    )
