"""Calls of vCons on their way into the store: each through the stages that it needs.

What a vCon offers decides: a recording without a transcript is transcribed; a recording with one
is measured and keeps its text; a text alone enters as ``import transcripts`` has it; a call that
speechlytics exported comes back as it was.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from speechlytics.analyze import unrecorded, with_phrases
from speechlytics.config import Config
from speechlytics.config import replace as config_replace
from speechlytics.errors import ImportRefused, ModelMissing
from speechlytics.nightly._import import BATCH_CALLS, FORGOTTEN
from speechlytics.nightly._night import MakeRunner, Night, key_file, open_night, through_stages
from speechlytics.nightly._report import Tally
from speechlytics.nightly._rescore import phrases_sha256, stored_analysis
from speechlytics.nightly._vcon_sound import Located, locate, recorded
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import CallAnalysis, Recording, Role, StageSha256, Transcript
from speechlytics.sources import customer_key, load_or_create_key
from speechlytics.store import Store, segments_of, silences_of
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


@dataclass(frozen=True, slots=True)
class Refusal:
    """What cannot be taken in, or only in part: file, JSON path and reason."""

    call_id: str | None
    why: str


class VconCalls:
    """Reads vCons and analyses their calls; what is refused gathers in ``refused``.

    Args:
        config: Zone, region, packs, model; its source is not read.
        store: Keeps inline and fetched recordings.
        reading: How to understand the vCons.
        make_runner: Another runner than the configured one.
        night: The run that this is part of; else a model is only sought when one is needed.
        tally: Counts the time that the stages take.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        reading: VconReading,
        *,
        make_runner: MakeRunner | None = None,
        night: Night | None = None,
        tally: Tally | None = None,
    ) -> None:
        self._config, self._store, self._reading = config, store, reading
        self._make_runner, self._night, self._tally = make_runner, night, tally or Tally()
        self._key = load_or_create_key(key_file(config))
        self._forgotten = store.forgotten()
        folders = [Path(folder) for folder in config.phrases.packs]
        self.packs = night.packs if night else load_packs(folders or None)
        self._matcher = Matcher(self.packs, config.phrases)
        stages = night.sha256 if night else StageSha256()
        self._stages = replace(stages, phrases=phrases_sha256(self.packs, config.phrases))
        self.refused: list[Refusal] = []
        self._where: dict[str, str] = {}
        self._to_measure: dict[str, CallAnalysis] = {}
        self._to_transcribe: list[Recording] = []

    def conversations(self, path: Path) -> Iterator[tuple[Conversation, CallAnalysis]]:
        """Each call of a file, with what its metadata and text alone make of it."""
        try:
            for found in read_vcons(path, speakers=self._reading.speakers):
                if isinstance(found, ImportRefused):
                    self.refused.append(Refusal(None, str(found)))
                    continue
                try:
                    text = self._from_store(found.stored) if found.stored else self._text(found)
                except (ImportRefused, ValueError, TypeError) as error:
                    known = isinstance(error, ImportRefused)
                    why = str(error) if known else f"{found.where}: {error}"
                    self.refused.append(Refusal(str(found.raw["call_id"]), why))
                else:
                    yield found, text
        except ImportRefused as error:
            self.refused.append(Refusal(None, str(error)))

    def analyses(
        self, files: Iterable[Path], wanted: Collection[str] | None = None
    ) -> Generator[CallAnalysis, None, None]:
        """Yield the calls of these files, finished or failed; close it when it is not exhausted.

        Args:
            files: vCon files.
            wanted: Only calls of these ids; all by default.
        """
        for path in files:
            for found, text in self.conversations(path):
                call_id = text.recording.call_id
                if wanted is not None and call_id not in wanted:
                    continue
                try:
                    yield from self._sorted(found, text, path)
                except ImportRefused as error:
                    self.refused.append(Refusal(call_id, str(error)))
            if len(self._to_measure) >= BATCH_CALLS:
                yield from self._measured()
        yield from self._measured()
        yield from self._transcribed()

    def _sorted(
        self, found: Conversation, text: CallAnalysis, path: Path
    ) -> Iterator[CallAnalysis]:
        """What is done with its text alone at once; what has sound waits for its stage."""
        call_id = text.recording.call_id
        if call_id in self._where:
            raise ImportRefused(
                f"{found.where}: call {call_id!r} came before, from {self._where[call_id]}"
            )
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
        recording = recorded(text.recording, found, located)
        text = replace(text, recording=recording)
        again = self._reading.transcribe and located.here
        if found.stored is not None and not again:
            yield with_phrases(text, self._matcher) if text.transcript else text
        elif located.here and (again or text.transcript is None):
            self._to_transcribe.append(recording)
        elif located.here:
            self._to_measure[call_id] = text
        elif text.transcript is not None:
            yield with_phrases(text, self._matcher)
        else:
            yield unrecorded(recording, replace(self._stages, phrases=None))

    def _text(self, found: Conversation) -> CallAnalysis:
        call = conversation(found.raw, found.where, self._reading.speakers)
        analysis = to_analysis(
            call,
            zone=self._config.source.zone,
            customer_key=lambda value: customer_key(value, self._key, self._config.source.region),
        )
        analysis = replace(analysis, stage_sha256=self._stages)
        return analysis if call.segments else replace(analysis, transcript=None)

    def _from_store(self, stored: StoredCall) -> CallAnalysis:
        call_id = stored.call["call_id"]
        analysis = stored_analysis(
            stored.call,
            segments_of(stored.segments).get(call_id, ()),
            silences_of(stored.silences).get(call_id, ()),
        )
        if self._night is not None:
            return replace(analysis, stage_sha256=self._stages)
        if analysis.transcript is None:
            return analysis
        stages = replace(analysis.stage_sha256, phrases=self._stages.phrases)
        return replace(analysis, stage_sha256=stages)

    def _measured(self) -> Iterator[CallAnalysis]:
        """Acoustic stages for the recordings that bring their transcript."""
        texts, self._to_measure = self._to_measure, {}
        if not texts:
            return
        acoustic = config_replace(self._config.run, transcribe=False)
        night = open_night(config_replace(self._config, run=acoustic))
        for measured in self._through(night, [text.recording for text in texts.values()]):
            text = texts[measured.recording.call_id]
            if measured.failure is not None:
                self._name(measured, "; its transcript was taken without the sound")
                yield with_phrases(text, self._matcher)
                continue
            stages = replace(self._stages, activity=measured.stage_sha256.activity)
            heard = _on_channels(text.transcript, measured.recording.roles)
            whole = replace(measured, status="ok", transcript=heard, stage_sha256=stages)
            yield with_phrases(whole, self._matcher)

    def _transcribed(self) -> Iterator[CallAnalysis]:
        """All stages for the recordings without a transcript."""
        recordings, self._to_transcribe = self._to_transcribe, []
        if not recordings:
            return
        try:
            night = self._night or open_night(self._config)
        except ModelMissing as error:
            for recording in recordings:
                why = f"{self._where[recording.call_id]}: needs a speech model: {error}"
                self.refused.append(Refusal(recording.call_id, why))
            return
        for analysis in self._through(night, recordings):
            if analysis.failure is not None:
                self._name(analysis, "; stored as failed")
            yield analysis

    def _through(
        self, night: Night, recordings: Sequence[Recording]
    ) -> Generator[CallAnalysis, None, None]:
        return through_stages(night, recordings, self._matcher, self._tally, self._make_runner)

    def _name(self, analysis: CallAnalysis, consequence: str) -> None:
        assert analysis.failure is not None
        call_id = analysis.recording.call_id
        why = f"{self._where[call_id]}: {analysis.failure.error}{consequence}"
        self.refused.append(Refusal(call_id, why))


def _on_channels(transcript: Transcript | None, roles: Sequence[Role]) -> Transcript | None:
    """Segments on the channel of their role in this recording."""
    if transcript is None:
        return None
    channel = {role: number for number, role in reversed(list(enumerate(roles)))}
    segments = tuple(replace(s, channel=channel.get(s.role, 0)) for s in transcript.segments)
    return replace(transcript, segments=segments)
