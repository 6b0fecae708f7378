"""Calls through the stages, as they finish: workers ahead of the model, memory flat.

Workers decode and measure; their windows queue for the speech model, which batches windows of
many calls; what is finished is yielded at once. The model's queue is bounded in windows, and at
most ``ahead`` calls wait for it.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from speechlytics.analyze import Prepared, PrepareSettings, conclude, prepare, unrecorded
from speechlytics.config import TranscribeConfig
from speechlytics.errors import SpeechlyticsError
from speechlytics.nightly._report import Tally
from speechlytics.records import CallAnalysis, Failure, Recording, StageSha256
from speechlytics.runner import Outcome, Runner

if TYPE_CHECKING:
    from speechlytics.phrases import Matcher
    from speechlytics.transcribe import Window, WindowResult


class Model(Protocol):
    """The speech model as the stream sees it: windows in, a promise of transcripts out."""

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        ...

    @property
    def busy_s(self) -> float:
        """Wall time in which it had something to do."""
        ...

    def submit(self, windows: Sequence[Window]) -> Future[tuple[WindowResult, ...]]:
        """Queue the windows of one call; blocks while the queue is full."""
        ...


@dataclass(frozen=True, slots=True)
class Stages:
    """Everything the stages of a night share."""

    prepare: PrepareSettings
    transcribe: TranscribeConfig
    matcher: Matcher | None
    model: Model | None
    sha256: StageSha256
    ahead: int


def analyses(
    recordings: Iterable[Recording], runner: Runner, stages: Stages, tally: Tally
) -> Iterator[CallAnalysis]:
    """Yield every call exactly once, finished or failed, in the order in which they end."""
    recorded, rest = _split(recordings)
    waiting: dict[Future[tuple[WindowResult, ...]], Prepared] = {}
    work = functools.partial(prepare, settings=stages.prepare)
    for outcome in runner.map(work, recorded):
        while rest:
            yield unrecorded(rest.pop(), stages.sha256)
        prepared = _prepared(outcome)
        tally.spend("decode", prepared.decode_s)
        tally.spend("activity", prepared.activity_s)
        tally.spend("features", prepared.features_s)
        if stages.model is None or not prepared.windows:
            yield _concluded(prepared, None, stages, tally)
            continue
        try:
            waiting[stages.model.submit(prepared.windows)] = _light(prepared)
        except SpeechlyticsError as error:
            yield _transcription_failed(prepared, error, stages)
        yield from _finished(waiting, stages, tally, at_most=stages.ahead)
    while rest:
        yield unrecorded(rest.pop(), stages.sha256)
    yield from _finished(waiting, stages, tally, at_most=0)
    if stages.model is not None:
        tally.spend("transcribe", stages.model.busy_s)


def _split(recordings: Iterable[Recording]) -> tuple[Iterator[Recording], list[Recording]]:
    """Recordings to decode, lazily; what cannot be decoded gathers in the list on the way."""
    rest: list[Recording] = []

    def recorded() -> Iterator[Recording]:
        for recording in recordings:
            if recording.uris and recording.problem is None:
                yield recording
            else:
                rest.append(recording)

    return recorded(), rest


def _prepared(outcome: Outcome[Recording, Prepared]) -> Prepared:
    if outcome.result is not None:
        return outcome.result
    return Prepared(outcome.item, failure=Failure("decode", str(outcome.error)))


def _light(prepared: Prepared) -> Prepared:
    """Drop the features once the model has them: they are by far the largest part."""
    import numpy as np

    empty = np.empty((0, 0), np.float32)
    return replace(prepared, windows=tuple(replace(w, features=empty) for w in prepared.windows))


def _finished(
    waiting: dict[Future[tuple[WindowResult, ...]], Prepared],
    stages: Stages,
    tally: Tally,
    *,
    at_most: int,
) -> Iterator[CallAnalysis]:
    """Conclude the calls whose transcripts are there; wait while more than ``at_most`` wait."""
    while waiting:
        blocking = len(waiting) > at_most
        done, _ = wait(waiting, timeout=None if blocking else 0, return_when=FIRST_COMPLETED)
        if not done:
            return
        for future in done:
            prepared = waiting.pop(future)
            try:
                heard = future.result()
            except SpeechlyticsError as error:
                yield _transcription_failed(prepared, error, stages)
            else:
                yield _concluded(prepared, heard, stages, tally)


def _concluded(
    prepared: Prepared,
    heard: tuple[WindowResult, ...] | None,
    stages: Stages,
    tally: Tally,
) -> CallAnalysis:
    transcript = None
    if stages.model is not None and prepared.failure is None and prepared.activity is not None:
        from speechlytics.transcribe import segments_from

        try:
            transcript = segments_from(
                prepared.windows,
                heard or (),
                prepared.activity,
                config=stages.transcribe,
                model_id=stages.model.model_id,
            )
        except Exception as error:  # an engine may answer nonsense; that costs its call
            return _transcription_failed(prepared, error, stages)
    start = time.process_time()
    analysis = conclude(prepared, transcript, stages.matcher, stages.sha256)
    tally.spend("phrases", time.process_time() - start)
    return analysis


def _transcription_failed(prepared: Prepared, error: Exception, stages: Stages) -> CallAnalysis:
    why = str(error) if isinstance(error, SpeechlyticsError) else repr(error)
    failed = replace(prepared, failure=Failure("transcribe", why))
    return conclude(failed, None, stages.matcher, stages.sha256)
