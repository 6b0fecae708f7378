"""vCons enter the store: recordings through the acoustic and speech stages, texts as they are.

What a vCon offers decides: a recording without a transcript is transcribed; a recording with one
is measured and keeps its text; a text alone enters as ``import transcripts`` has it; a call that
speechlytics exported comes back as it was.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from speechlytics.analyze import unrecorded, with_phrases
from speechlytics.config import Config
from speechlytics.config import replace as config_replace
from speechlytics.errors import ImportRefused, ModelMissing
from speechlytics.nightly._import import BATCH_CALLS, FORGOTTEN, Taken
from speechlytics.nightly._job import (
    MakeRunner,
    Night,
    _stages,
    _start_model,
    key_file,
    local_runner,
    open_night,
)
from speechlytics.nightly._report import Tally
from speechlytics.nightly._rescore import phrases_sha256, stored_analysis
from speechlytics.nightly._stream import analyses
from speechlytics.nightly._vcon_sound import Located, locate
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import (
    CallAnalysis,
    Recording,
    Role,
    StageSha256,
    Transcript,
)
from speechlytics.sources import customer_key, load_or_create_key
from speechlytics.store import Store, Writer, segments_of, silences_of
from speechlytics.transcripts import conversation, to_analysis
from speechlytics.vcon import Conversation, StoredCall, read_vcons


@dataclass(frozen=True, slots=True)
class VconReading:
    """How vCons are to be understood.

    Attributes:
        speakers: Role by a party's name or address.
        fetch: Fetch recordings over http and https; files are read in any case.
        transcribe: Transcribe recordings even where the vCon brings a transcript.
    """

    speakers: Mapping[str, Role] = field(default_factory=dict)
    fetch: bool = False
    transcribe: bool = False


def import_vcons(
    config: Config,
    files: Iterable[Path],
    reading: VconReading | None = None,
    *,
    make_runner: MakeRunner | None = None,
) -> Taken:
    """Take in the calls of vCons. Importing a call again replaces it.

    A call that cannot be taken is refused with file, JSON path and reason; the others come in.
    One whose recording cannot be decoded is stored as ``failed`` and named as well.

    Args:
        config: Store, zone, region, packs, model; its source is not read.
        files: vCon files.
        reading: How to understand them.
        make_runner: Another runner than this machine's processes.

    Raises:
        StoreLocked: a run is at work on this store.
    """
    run_id = f"import-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    store = Store.configured(config.store)
    with store.writer(run_id) as writer:
        job = _Import(config, store, writer, reading or VconReading(), make_runner or local_runner)
        for path in files:
            job.read(path)
        job.measure()
        job.transcribe()
        job.flush()
        store.replace_rules([{**row, "run_id": run_id} for row in job.packs.rules_table()])
    return job.taken


class _Import:
    def __init__(
        self,
        config: Config,
        store: Store,
        writer: Writer,
        reading: VconReading,
        make_runner: MakeRunner,
    ) -> None:
        self._config, self._reading, self._make_runner = config, reading, make_runner
        self._store, self._writer = store, writer
        self._key = load_or_create_key(key_file(config))
        self.packs = load_packs([Path(folder) for folder in config.phrases.packs] or None)
        self._matcher = Matcher(self.packs, config.phrases)
        self._phrases = phrases_sha256(self.packs, config.phrases)
        self._forgotten = store.forgotten()
        self.taken = Taken()
        self._batch: list[CallAnalysis] = []
        self._where: dict[str, str] = {}
        self._to_measure: dict[str, CallAnalysis] = {}
        self._to_transcribe: list[Recording] = []

    def read(self, path: Path) -> None:
        """Sort the calls of a file by what is to be done; texts are done at once."""
        try:
            for found in read_vcons(path, speakers=self._reading.speakers):
                if isinstance(found, ImportRefused):
                    self.taken.refused.append(str(found))
                    continue
                try:
                    self._sort(found, path)
                except ImportRefused as error:
                    self.taken.refused.append(str(error))
                except (ValueError, TypeError) as error:
                    self.taken.refused.append(f"{found.where}: {error}")
        except ImportRefused as error:
            self.taken.refused.append(str(error))

    def _sort(self, found: Conversation, path: Path) -> None:
        call_id = str(found.raw["call_id"])
        if call_id in self._where:
            raise ImportRefused(
                f"{found.where}: call {call_id!r} came before, from {self._where[call_id]}"
            )
        text = self._from_store(found.stored) if found.stored else self._from_text(found)
        if when := self._forgotten.of(text.recording):
            raise ImportRefused(f"{found.where}: {FORGOTTEN} {when[:10]}")
        try:
            located = locate(found.sounds, call_id, self._store, path.parent, self._reading.fetch)
        except ImportRefused as error:
            if found.stored is None and text.transcript is None:
                raise
            if error.__cause__ is None:  # another content than the vCon's, not a missing one
                raise
            located = Located(tuple(s.url for s in found.sounds if s.url))
        self._where[call_id] = found.where
        recording = _recorded(text.recording, found, located)
        text = replace(text, recording=recording)
        again = self._reading.transcribe and located.here
        if found.stored is not None and not again:
            self._take(with_phrases(text, self._matcher) if text.transcript else text)
        elif located.here and (again or text.transcript is None):
            self._to_transcribe.append(recording)
        elif located.here:
            self._to_measure[call_id] = text
        elif text.transcript is not None:
            self._take(with_phrases(text, self._matcher))
        else:
            self._take(unrecorded(recording, StageSha256()))

    def _from_text(self, found: Conversation) -> CallAnalysis:
        call = conversation(found.raw, found.where, self._reading.speakers)
        analysis = to_analysis(
            call,
            zone=self._config.source.zone,
            customer_key=lambda value: customer_key(value, self._key, self._config.source.region),
        )
        stages = StageSha256(phrases=self._phrases)
        analysis = replace(analysis, stage_sha256=stages)
        return analysis if call.segments else replace(analysis, transcript=None)

    def _from_store(self, stored: StoredCall) -> CallAnalysis:
        call_id = stored.call["call_id"]
        analysis = stored_analysis(
            stored.call,
            segments_of(stored.segments).get(call_id, ()),
            silences_of(stored.silences).get(call_id, ()),
        )
        if analysis.transcript is None:
            return analysis
        stages = replace(analysis.stage_sha256, phrases=self._phrases)
        return replace(analysis, stage_sha256=stages)

    def measure(self) -> None:
        """Acoustic stages for recordings that bring their transcript."""
        if not self._to_measure:
            return
        acoustic = config_replace(self._config.run, transcribe=False)
        night = open_night(config_replace(self._config, run=acoustic))
        recordings = [text.recording for text in self._to_measure.values()]
        for measured in self._analyses(night, recordings):
            text = self._to_measure[measured.recording.call_id]
            if measured.failure is not None:
                self._name(measured, "; its transcript was taken without the sound")
                self._take(with_phrases(text, self._matcher))
                continue
            stages = replace(measured.stage_sha256, phrases=self._phrases)
            heard = _on_channels(text.transcript, measured.recording.roles)
            whole = replace(measured, status="ok", transcript=heard, stage_sha256=stages)
            self._take(with_phrases(whole, self._matcher))

    def transcribe(self) -> None:
        """All stages for recordings without a transcript."""
        if not self._to_transcribe:
            return
        try:
            night = open_night(self._config)
        except ModelMissing as error:
            self.taken.refused += [
                f"{self._where[r.call_id]}: needs a speech model: {error}"
                for r in self._to_transcribe
            ]
            return
        for analysis in self._analyses(night, self._to_transcribe):
            if analysis.failure is not None:
                self._name(analysis, "; stored as failed")
                self._batch.append(analysis)
            else:
                self._take(analysis)

    def _analyses(self, night: Night, recordings: Sequence[Recording]) -> Iterator[CallAnalysis]:
        with contextlib.ExitStack() as stack:
            model = _start_model(night, stack)
            runner = stack.enter_context(self._make_runner(night.config))
            stages = _stages(night, self._matcher, model)
            yield from analyses(recordings, runner, stages, Tally())

    def _name(self, analysis: CallAnalysis, consequence: str) -> None:
        assert analysis.failure is not None
        where = self._where[analysis.recording.call_id]
        self.taken.refused.append(f"{where}: {analysis.failure.error}{consequence}")

    def _take(self, analysis: CallAnalysis) -> None:
        self._batch.append(analysis)
        self.taken.taken += 1
        if len(self._batch) >= BATCH_CALLS:
            self._writer.add(self._batch)
            self._batch = []

    def flush(self) -> None:
        """Publish what came in."""
        self._writer.add(self._batch)
        self._batch = []
        self._writer.publish()


def _recorded(recording: Recording, found: Conversation, located: Located) -> Recording:
    """The recording with its files and the roles of their channels."""
    if not located.uris:
        return recording
    return replace(
        recording,
        uris=located.uris,
        roles=found.roles,
        role_source=found.role_source,
        audio_size_bytes=located.size_bytes,
        audio_modified_at=located.modified_at,
    )


def _on_channels(transcript: Transcript | None, roles: Sequence[Role]) -> Transcript | None:
    """Segments on the channel of their role in this recording."""
    if transcript is None:
        return None
    channel = {role: number for number, role in reversed(list(enumerate(roles)))}
    segments = tuple(replace(s, channel=channel.get(s.role, 0)) for s in transcript.segments)
    return replace(transcript, segments=segments)
