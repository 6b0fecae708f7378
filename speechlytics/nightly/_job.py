"""The batch job: config → source → stages → store → exports, with a report at the end."""

from __future__ import annotations

import contextlib
import json
import logging
import platform
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from speechlytics import __version__
from speechlytics.config import Config, digest
from speechlytics.errors import StoreError
from speechlytics.nightly._known import KnownCalls
from speechlytics.nightly._night import (
    MakeRunner,
    Night,
    key_file,
    open_night,
    through_stages,
)
from speechlytics.nightly._plan import Selection, Task, plan, without_forgotten
from speechlytics.nightly._report import Report, Tally, rtfx
from speechlytics.nightly._rescore import rescored
from speechlytics.nightly._vcon_source import VconSource, vcon_entry
from speechlytics.phrases import Matcher
from speechlytics.records import CallAnalysis, Recording
from speechlytics.sources import discover, load_or_create_key
from speechlytics.store import Store, Writer

log = logging.getLogger("speechlytics.run")

LOG_EVERY_S = 60.0
LIBRARIES = ("faster-whisper", "ctranslate2", "webrtcvad-wheels", "rapidfuzz", "duckdb")

Progress = Callable[[int, str], None]


def tasks(
    night: Night, store: Store, selection: Selection, vcons: VconSource | None = None
) -> Iterator[Task]:
    """Yield what the run would do with each selected call of the source."""
    days = None if selection.day is None else [selection.day]
    known = KnownCalls(store, days)
    source = night.config.source
    key = load_or_create_key(key_file(night.config))
    join = None if night.captures is None else night.captures.joined
    vcons = vcons or _vcons(night, store)
    found = vcons.recordings() if vcons else discover(source, key=key)
    allowed = without_forgotten(found, store.forgotten())
    return plan(allowed, known, night.sha256, selection, join)


def _vcons(night: Night, store: Store) -> VconSource | None:
    entry = vcon_entry(night.config.source)
    return None if entry is None else VconSource(night, store, entry)


def run(
    config: Config,
    selection: Selection,
    *,
    progress: Progress | None = None,
    make_runner: MakeRunner | None = None,
) -> Report:
    """Do all that is to be done; every finished call is safe in the spool at once.

    Args:
        config: A checked pipeline.
        selection: Which calls of the source.
        progress: Called with the number of finished calls and the last one's id.
        make_runner: Another runner than the configured one.

    Raises:
        StoreLocked: another run is at work on this store.
        SpeechlyticsError: the run cannot start or cannot write; calls never raise.
    """
    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    night = open_night(config)
    store = Store.configured(config.store)
    tally = Tally()
    with store.writer(run_id) as writer:
        record = _RunRow(store, night, run_id, started_at)
        try:
            store.replace_rules([{**row, "run_id": run_id} for row in night.packs.rules_table()])
            vcons = _vcons(night, store)
            todo = _Todo(tasks(night, store, selection, vcons), tally)
            publisher = _Publisher(writer, config, tally, progress)
            _work(night, store, todo, publisher, tally, make_runner, vcons)
            _tidy(writer)
            writer.sweep()
        except BaseException:
            record.write("stopped", tally)
            raise
        report = record.write("failed_calls" if tally.failures else "done", tally)
    return replace(report, exports=_export(config, store))


def _work(
    night: Night,
    store: Store,
    todo: _Todo,
    publisher: _Publisher,
    tally: Tally,
    make_runner: MakeRunner | None,
    vcons: VconSource | None,
) -> None:
    matcher = Matcher(night.packs, night.config.phrases)
    recordings = todo.to_analyze()
    first = next(recordings, None)
    if first is not None:  # loading the model takes seconds: not for a night without new calls
        new = chain([first], recordings)
        if vcons is not None:
            finished = vcons.analyses(new, tally, make_runner)
        else:
            finished = through_stages(night, new, matcher, tally, make_runner)
        with contextlib.closing(finished):
            for analysis in finished:
                publisher.add(night.with_captures(analysis))
    publisher.flush()
    if todo.to_rescore:
        phrases = night.sha256.phrases
        for analysis in rescored(store, todo.to_rescore, todo.days, matcher, phrases):
            publisher.add(analysis)
        publisher.flush()


def _tidy(writer: Writer) -> None:
    """Leave few files per day; on a full disk the night's calls are stored all the same."""
    try:
        writer.tidy()
    except StoreError as error:
        log.warning("files were not merged, the next night does it: %s", error)


class _Todo:
    """Splits the plan: what to analyse is streamed, what to rescore gathers for afterwards."""

    def __init__(self, planned: Iterable[Task], tally: Tally) -> None:
        self._planned = planned
        self._tally = tally
        self.to_rescore: dict[str, Recording | None] = {}
        self.days: dict[str, date] = {}

    def to_analyze(self) -> Iterator[Recording]:
        for task in self._planned:
            if task.action == "analyze":
                yield task.recording
            elif task.action == "rescore":
                self.to_rescore[task.recording.call_id] = task.recording
                assert task.stored_date is not None
                self.days[task.recording.call_id] = task.stored_date
            else:
                self._tally.counts["unchanged"] += 1


class _Publisher:
    """Hands finished calls to the store and publishes them now and then."""

    def __init__(
        self, writer: Writer, config: Config, tally: Tally, progress: Progress | None
    ) -> None:
        self._writer = writer
        self._run = config.run
        self._tally = tally
        self._progress = progress
        self._published_at = self._logged_at = time.monotonic()
        self._finished = 0

    def add(self, analysis: CallAnalysis) -> None:
        self._tally.add(analysis)
        self._writer.add([analysis])
        self._finished += 1
        self._say(analysis)
        late = time.monotonic() - self._published_at >= self._run.publish_every_s
        if late or self._writer.pending >= self._run.publish_every_calls:
            self.flush()

    def flush(self) -> None:
        self._writer.publish()
        self._published_at = time.monotonic()

    def _say(self, analysis: CallAnalysis) -> None:
        call_id = analysis.recording.call_id
        if analysis.failure is not None:
            fields = {"call_id": call_id, "stage": analysis.failure.stage}
            log.warning("%s failed: %s", call_id, analysis.failure.error, extra={"fields": fields})
        if self._progress is not None:
            self._progress(self._finished, call_id)
        elif time.monotonic() - self._logged_at >= LOG_EVERY_S:
            self._logged_at = time.monotonic()
            log.info("%d calls done", self._finished, extra={"fields": dict(self._tally.counts)})


class _RunRow:
    """The run's row: written at the start, so that a crash is seen, and again at the end."""

    def __init__(self, store: Store, night: Night, run_id: str, started_at: datetime) -> None:
        self._store = store
        self._started_at = started_at
        versions = {name: version(name) for name in LIBRARIES}
        self._row: dict[str, Any] = {
            "run_id": run_id,
            "started_at": started_at,
            "finished_at": None,
            "status": "running",
            "counts": None,
            "versions": json.dumps({"speechlytics": __version__, **versions}),
            "model_id": night.engine.model_id if night.engine else None,
            "config_sha256": digest(night.config),
            "host": platform.node(),
        }
        store.append_run(self._row)

    def write(self, status: str, tally: Tally) -> Report:
        finished_at = datetime.now(UTC)
        wall_s = (finished_at - self._started_at).total_seconds()
        report = Report(
            run_id=self._row["run_id"],
            started_at=self._started_at,
            finished_at=finished_at,
            counts=dict(tally.counts),
            failures=tuple(tally.failures),
            audio_hours=tally.audio_s / 3600,
            rtfx=rtfx(tally, wall_s),
        )
        ended = {"finished_at": finished_at, "status": status, "counts": report.counts_json()}
        self._store.append_run({**self._row, **ended})
        return report


def _export(config: Config, store: Store) -> tuple[str, ...]:
    """Write the configured exports; returns the files (none for one with nothing new)."""
    if not config.export:
        return ()
    from speechlytics.export import export

    done = [
        export(store, entry.what, Path(entry.out), form=entry.format, new=entry.new)
        for entry in config.export
    ]
    return tuple(str(exported.path) for exported in done if exported.path is not None)
