"""The one place where the stages of a call are composed.

``prepare`` runs in a worker process: recording → waveform → activity → windows for the speech
model. ``conclude`` runs where the transcript arrives: transcript → hits → context → analysis.
Neither knows where recordings come from or where results go.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from speechlytics import config
from speechlytics.errors import AudioError, AudioOutOfReach, SpeechlyticsError
from speechlytics.records import (
    AudioFacts,
    CallActivity,
    CallAnalysis,
    Failure,
    Recording,
    Stage,
    StageSha256,
    Transcript,
)

if TYPE_CHECKING:
    from speechlytics.phrases import Matcher
    from speechlytics.transcribe import Window, WindowShape


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """What a worker needs to know; ``transcribe=None`` stops after the acoustic stages."""

    audio: config.AudioConfig
    activity: config.ActivityConfig
    transcribe: config.TranscribeConfig | None
    window: WindowShape | None


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that was decoded and measured, with the CPU seconds that each stage took."""

    recording: Recording
    facts: AudioFacts | None = None
    activity: CallActivity | None = None
    windows: tuple[Window, ...] = ()
    failure: Failure | None = None
    decode_s: float = 0.0
    activity_s: float = 0.0
    features_s: float = 0.0


def prepare(recording: Recording, settings: PrepareSettings) -> Prepared:
    """Decode and measure one recording; a failure becomes part of the answer.

    Only errors that say something about this call are caught: a defect of speechlytics stops
    the worker's answer as well, but is reported with its stage, so one call never costs others.
    """
    from speechlytics.activity import measure
    from speechlytics.audio import decode

    clock = _StageClock()
    try:
        waveform = decode(recording.uris, settings.audio)
    except (SpeechlyticsError, OSError) as error:
        heard = isinstance(error, AudioError) and not isinstance(error, AudioOutOfReach)
        stage: Stage = "decode" if heard else "source"  # the latter is tried again every night
        return Prepared(recording, failure=Failure(stage, str(error)))
    decode_s = clock.lap()
    recording = _with_roles(recording, len(waveform.samples))
    try:
        activity = measure(waveform, recording.roles, settings.activity)
    except Exception as error:  # a call that cannot be measured must not cost the night
        return Prepared(recording, waveform.facts, failure=_failure("activity", error))
    activity_s = clock.lap()
    windows: tuple[Window, ...] = ()
    if settings.transcribe is not None and settings.window is not None:
        from speechlytics.transcribe import prepare_windows

        try:
            windows = prepare_windows(
                waveform,
                activity,
                call_id=recording.call_id,
                config=settings.transcribe,
                shape=settings.window,
                language=recording.language,
            )
        except Exception as error:  # as above
            return Prepared(
                recording, waveform.facts, activity, failure=_failure("transcribe", error)
            )
    return Prepared(
        recording,
        waveform.facts,
        activity,
        windows,
        decode_s=decode_s,
        activity_s=activity_s,
        features_s=clock.lap(),
    )


def conclude(
    prepared: Prepared,
    transcript: Transcript | None,
    matcher: Matcher | None,
    settings: StageSha256,
) -> CallAnalysis:
    """Turn a prepared call and its transcript (if there is one) into a finished analysis."""
    recording, activity = prepared.recording, prepared.activity
    if prepared.failure is not None or activity is None:
        failure = prepared.failure or Failure("activity", "no activity was measured")
        return CallAnalysis(
            recording,
            "failed",
            facts=prepared.facts,
            activity=activity,
            failure=failure,
            stage_sha256=settings,
        )
    spoken = any(channel.speech for channel in activity.channels)
    analysis = CallAnalysis(
        recording,
        "ok" if spoken else "no_speech",
        facts=prepared.facts,
        activity=activity,
        transcript=transcript,
        stage_sha256=settings,
    )
    return with_phrases(analysis, matcher) if transcript and matcher else analysis


def with_phrases(analysis: CallAnalysis, matcher: Matcher) -> CallAnalysis:
    """Match the packs against a transcribed call and read its silences in their context."""
    from speechlytics.context import in_context

    activity, transcript = analysis.activity, analysis.transcript
    if activity is None or transcript is None:
        return analysis
    hits = matcher.match(
        transcript.segments,
        duration_ms=activity.duration_ms,
        silences=activity.silences,
        language=transcript.language,
    )
    silences = in_context(activity.silences, transcript.segments, hits, transcript.language)
    return replace(analysis, activity=replace(activity, silences=silences), hits=hits)


def unrecorded(recording: Recording, settings: StageSha256) -> CallAnalysis:
    """A call that the source knows but never recorded, or cannot describe."""
    if recording.problem is not None:
        return CallAnalysis(
            recording,
            "failed",
            failure=Failure("source", recording.problem),
            stage_sha256=settings,
        )
    return CallAnalysis(recording, "no_recording", stage_sha256=settings)


def _with_roles(recording: Recording, channels: int) -> Recording:
    """On one channel with both parties nobody can be told apart by channel."""
    if channels > 1 or len(recording.roles) == 1:
        return recording
    return replace(recording, roles=("unknown",), role_source="none")


def _failure(stage: Stage, error: Exception) -> Failure:
    return Failure(stage, str(error) if isinstance(error, SpeechlyticsError) else repr(error))


class _StageClock:
    """CPU seconds of this process between laps."""

    def __init__(self) -> None:
        self._last = time.process_time()

    def lap(self) -> float:
        now = time.process_time()
        passed, self._last = now - self._last, now
        return passed
