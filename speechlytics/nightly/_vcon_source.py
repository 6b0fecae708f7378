"""A source of vCons: ``run`` takes their calls as it takes recordings.

A vCon file, and the recordings that lie beside it, stand for its calls as audio files do
otherwise: a changed file is done again, changed packs cost no audio. Every file is read on every
night, because only its content tells which calls it holds.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from speechlytics.analyze import unrecorded
from speechlytics.config import MetadataSource, SourceConfig
from speechlytics.errors import ConfigError
from speechlytics.nightly._night import MakeRunner, Night
from speechlytics.nightly._report import Tally
from speechlytics.nightly._vcon_calls import VconCalls, VconReading
from speechlytics.nightly._vcon_sound import Located, expected, recorded
from speechlytics.records import CallAnalysis, Recording
from speechlytics.sources import list_files, safe_id
from speechlytics.store import Store

log = logging.getLogger("speechlytics.run")

SUFFIXES = (".vcon", ".vcon.json", ".vcon.jsonl", ".vcon.gz")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def vcon_entry(source: SourceConfig) -> MetadataSource | None:
    """The entry that makes a source one of vCons, if there is one."""
    return next((entry for entry in source.metadata if entry.kind == "vcon"), None)


class VconSource:
    """The vCons of a folder or glob.

    Args:
        night: The run.
        store: Keeps inline and fetched recordings.
        entry: How to understand the vCons.

    Raises:
        SourceError: the source does not exist.
        ConfigError: it is not on this machine.
    """

    def __init__(self, night: Night, store: Store, entry: MetadataSource) -> None:
        self._night, self._store = night, store
        self._reading = VconReading(speakers=entry.speakers, fetch=entry.fetch)
        source = night.config.source
        if "://" in source.path.removeprefix("file://"):
            raise ConfigError(
                f"source.path = {source.path!r}: vCons are read from this machine's disks; copy "
                "them, or mount the bucket"
            )
        self._files = [Path(found.uri) for found in list_files(source.path, SUFFIXES).found]
        self._zone = ZoneInfo(source.zone)
        self._paths: dict[str, Path] = {}

    def recordings(self) -> Iterator[Recording]:
        """The calls of all files; a file or call that cannot be read is one with a problem."""
        calls = VconCalls(self._night.config, self._store, self._reading, night=self._night)
        for path in self._files:
            for found, text in calls.conversations(path):
                call_id = text.recording.call_id
                if call_id in self._paths:
                    log.warning(
                        "%s: call %r came before, from %s",
                        found.where,
                        call_id,
                        self._paths[call_id],
                    )
                    continue
                self._paths[call_id] = path
                uris, beside = expected(found.sounds, call_id, self._store, path.parent)
                size_bytes, modified_at = _fingerprint([path, *beside])
                located = Located(uris, True, size_bytes, modified_at)
                marked = recorded(text.recording, found, located)
                yield replace(marked, audio_size_bytes=size_bytes, audio_modified_at=modified_at)
            for number, refusal in enumerate(calls.refused, 1):
                call_id = refusal.call_id or safe_id(f"{path.name}-{number}")
                if call_id not in self._paths:
                    self._paths[call_id] = path
                    yield self._refused(call_id, path, refusal.why)
            calls.refused.clear()

    def analyses(
        self, wanted: Iterable[Recording], tally: Tally, make_runner: MakeRunner | None
    ) -> Generator[CallAnalysis, None, None]:
        """Yield each wanted call once, finished or failed."""
        open_: dict[str, Recording] = {}
        for recording in wanted:
            if recording.problem is None:
                open_[recording.call_id] = recording
            else:
                yield unrecorded(recording, self._night.sha256)
        calls = VconCalls(
            self._night.config, self._store, self._reading,
            make_runner=make_runner, night=self._night, tally=tally,
        )  # fmt: skip
        files = dict.fromkeys(self._paths[call_id] for call_id in open_)
        with contextlib.closing(calls.analyses(files, frozenset(open_))) as found:
            for analysis in found:
                planned = open_.pop(analysis.recording.call_id)
                yield replace(analysis, recording=_as_planned(analysis.recording, planned))
        why = {refusal.call_id: refusal.why for refusal in calls.refused}
        for refusal in calls.refused:
            if refusal.call_id not in open_:
                log.warning(refusal.why)
        for call_id, recording in open_.items():
            problem = why.get(call_id, f"{self._paths[call_id]}: holds this call no longer")
            yield unrecorded(replace(recording, problem=problem), self._night.sha256)

    def _refused(self, call_id: str, path: Path, why: str) -> Recording:
        size_bytes, modified_at = _fingerprint([path])
        started_at = modified_at or datetime.now(UTC)
        local = started_at.astimezone(self._zone).replace(tzinfo=None)
        return Recording(
            call_id=call_id,
            uris=(),
            started_at=started_at,
            started_local=local,
            call_date=local.date(),
            audio_size_bytes=size_bytes,
            audio_modified_at=modified_at,
            problem=why,
        )


def _as_planned(analysed: Recording, planned: Recording) -> Recording:
    """The state of the files by which the next night sees whether something changed."""
    return replace(
        analysed,
        audio_size_bytes=planned.audio_size_bytes,
        audio_modified_at=planned.audio_modified_at,
    )


def _fingerprint(files: Iterable[Path]) -> tuple[int | None, datetime | None]:
    """Sum of the sizes and latest change of the files that are there."""
    states = []
    for file in files:
        with contextlib.suppress(OSError):
            states.append(file.stat())
    if not states:
        return None, None
    latest = max(state.st_mtime_ns for state in states)
    modified_at = _EPOCH + timedelta(microseconds=latest // 1000)
    return sum(state.st_size for state in states), modified_at
