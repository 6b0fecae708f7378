"""The frozen records that stages hand to each other, in the order in which a call flows.

    Recording → Waveform → CallActivity → Segment → PhraseHit → CallAnalysis → tables

Times are integer milliseconds from the start of the recording; an interval is half open,
``[start_ms, end_ms)``. ``None`` means "not measurable" or "not known", never zero.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal, cast, overload

import numpy as np
from numpy.typing import NDArray

Role = Literal["agent", "customer", "ivr", "unknown"]
RoleSource = Literal["channel", "metadata", "none"]
SilenceKind = Literal["silence", "hold_music"]
Position = Literal["leading", "inner", "trailing"]
CallStatus = Literal["ok", "no_speech", "no_recording", "failed"]
Stage = Literal["source", "decode", "activity", "transcribe", "phrases", "import"]
Suspect = Literal["loop", "low_confidence", "over_non_talk"]
MatchKind = Literal["exact", "stem", "fuzzy"]
TranscriptSource = Literal["asr", "import"]


@dataclass(frozen=True, slots=True, order=True)
class Interval:
    """A stretch of time ``[start_ms, end_ms)`` inside a recording."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class ScreenCapture:
    """A picture or a video of the agent's screen, on the recording's clock (``*_ms``)."""

    uri: str
    kind: Literal["image", "video"]
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Recording:
    """One call as its source describes it, before anything was decoded.

    Attributes:
        call_id: Unique in the store; by default from the file name.
        uris: Absolute path or URL of the audio: one file, or one per leg (then leg ``i`` is
            channel ``i``); empty for a call that was never recorded.
        started_at: Aware instant of the call's start; ``None`` is never stored (the source
            falls back to the file's modification time).
        started_local: The same instant as naive wall-clock time in the configured zone.
        call_date: Date part of ``started_local``; the store's partition key.
        roles: Role per channel, as far as configured; missing channels are ``unknown``.
        customer_key: Keyed pseudonym of the customer; the raw id is never kept.
        extra: Unknown metadata columns as a JSON object (text), or ``None``.
        audio_size_bytes, audio_modified_at: Fingerprint of the audio files (sum of sizes, latest
            change): a recording whose fingerprint changed is done again.
        problem: Why this row cannot be processed (duplicate id with other audio, unreadable
            metadata, …); such a call becomes a ``failed`` row of stage ``source``.
    """

    call_id: str
    uris: tuple[str, ...]
    started_at: datetime
    started_local: datetime
    call_date: date
    roles: tuple[Role, ...] = ("agent", "customer")
    role_source: RoleSource = "channel"
    direction: str | None = None
    agent_id: str | None = None
    team: str | None = None
    customer_key: str | None = None
    queue: str | None = None
    answered: bool | None = None
    wait_ms: int | None = None
    csat: float | None = None
    disconnect_by: str | None = None
    transferred_from: str | None = None
    language: str | None = None
    screens: tuple[ScreenCapture, ...] = ()
    extra: str | None = None
    audio_size_bytes: int | None = None
    audio_modified_at: datetime | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class AudioFacts:
    """What decoding found out about a recording.

    ``sampling_rate_hz`` and ``channels`` describe the recording as it was stored (a fake
    stereo file has 2); ``loss_share`` is the share of packets that could not be decoded, 0–1.
    """

    audio_sha256: str
    codec: str
    sampling_rate_hz: int
    channels: int
    duration_ms: int
    loss_share: float = 0.0
    fake_stereo: bool = False


@dataclass(frozen=True, slots=True)
class Waveform:
    """Decoded audio.

    Attributes:
        samples: int16, shape ``(channels, n_samples)``, C-contiguous; fake stereo is one row.
        rate_hz: 8000 for anything recorded at 8 kHz or less, else 16000. Telephony stays at
            its own rate: features and activity are computed from it without resampling.
        facts: What was decoded.
    """

    samples: NDArray[np.int16]
    rate_hz: int
    facts: AudioFacts


@dataclass(frozen=True, slots=True)
class ChannelActivity:
    """Who was heard on one channel: disjoint, sorted intervals of speech and of music."""

    channel: int
    role: Role
    speech: tuple[Interval, ...]
    music: tuple[Interval, ...]


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch in which nobody on any channel speaks.

    ``announced``, ``after_question`` and ``thanked`` need a transcript and stay ``None``
    without one.
    """

    start_ms: int
    end_ms: int
    kind: SilenceKind
    position: Position
    before_role: Role | None
    after_role: Role | None
    announced: bool | None = None
    after_question: bool | None = None
    thanked: bool | None = None

    @property
    def duration_ms(self) -> int:
        """Length in milliseconds."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class CallActivity:
    """Speech, music and silence of one call, with the sums that ``calls`` stores.

    Sums over non-talk count inner spans only. Overtalk and per-role talk are ``None`` where
    a mono recording cannot tell.
    """

    duration_ms: int
    channels: tuple[ChannelActivity, ...]
    silences: tuple[Silence, ...]
    agent_talk_ms: int | None
    customer_talk_ms: int | None
    overtalk_ms: int | None
    overtalk_count: int | None


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word with its own times; ``probability`` 0–1, ``None`` if imported."""

    word: str
    start_ms: int
    end_ms: int
    probability: float | None = None


class StoredWords(Sequence[Word]):
    """Words of one segment out of columns; a :class:`Word` is made when it is asked for.

    Of most stored words nobody needs more than the text, and a tuple of records costs several
    times what reading the columns does.

    Args:
        texts: The words of this segment.
        columns: Starts (ms), ends (ms) and probabilities of the words of many segments; arrays
            or lists.
        first: Index into ``columns`` of the first word of this segment.
    """

    __slots__ = ("_columns", "_first", "texts")

    def __init__(self, texts: list[str], columns: tuple[Any, Any, Any], first: int) -> None:
        self.texts = texts
        self._columns = columns
        self._first = first

    @staticmethod
    def joined(segments: Sequence[StoredWords]) -> tuple[Sequence[Any], ...]:
        """Texts, starts (ms), ends (ms) and probabilities of all words of segments."""
        pieces: list[tuple[Any, int, int]] = []
        for said in segments:
            first, end = said._first, said._first + len(said.texts)
            if pieces and pieces[-1][0] is said._columns and pieces[-1][2] == first:
                first = pieces.pop()[1]
            pieces.append((said._columns, first, end))
        numbers = ([of[at][first:end] for of, first, end in pieces] for at in range(3))
        return [t for said in segments for t in said.texts], *map(_one_column, numbers)

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, at: int) -> Word: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[Word, ...]: ...
    def __getitem__(self, at: int | slice) -> Word | tuple[Word, ...]:
        if isinstance(at, slice):
            return tuple(self[one] for one in range(*at.indices(len(self.texts))))
        if at < 0:
            at += len(self.texts)
        text, place = self.texts[at], self._first + at
        return Word(text, *(_plain(column[place]) for column in self._columns))

    def __iter__(self) -> Iterator[Word]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        if isinstance(other, StoredWords | tuple):
            return tuple(self) == tuple(other)
        return NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


def _one_column(parts: list[Any]) -> Sequence[Any]:
    if parts and all(isinstance(part, np.ndarray) for part in parts):
        return cast("Sequence[Any]", np.concatenate(parts))
    return [value for part in parts for value in part]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


@dataclass(frozen=True, slots=True)
class Segment:
    """One stretch of transcribed speech of one role.

    ``segment_id`` is the ordinal in the call by ``(start_ms, channel)``. ``words`` may be
    empty for an imported transcript without word times; of a stored segment they are
    :class:`StoredWords`.
    """

    segment_id: int
    channel: int
    role: Role
    start_ms: int
    end_ms: int
    text: str
    language: str | None = None
    avg_logprob: float | None = None
    no_speech_prob: float | None = None
    compression_ratio: float | None = None
    suspect: Suspect | None = None
    words: Sequence[Word] = ()


@dataclass(frozen=True, slots=True)
class PhraseHit:
    """One place where a rule fired. ``score`` is 0–100."""

    rule_id: str
    category: str
    role: Role
    segment_id: int
    start_ms: int
    end_ms: int
    matched_text: str
    match_kind: MatchKind
    score: float
    pack: str
    pack_sha256: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """Everything heard in one call, whoever wrote it down."""

    segments: tuple[Segment, ...]
    language: str | None
    language_probability: float | None
    source: TranscriptSource
    model_id: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a call has no result: the stage that gave up and what it said."""

    stage: Stage
    error: str


@dataclass(frozen=True, slots=True)
class StageSha256:
    """Settings that each stage ran with, hashed, so that only what changed is redone."""

    activity: str | None = None
    transcript: str | None = None
    phrases: str | None = None


@dataclass(frozen=True, slots=True)
class CallAnalysis:
    """A finished call: all that the tables will hold about it.

    ``activity``, ``transcript`` and ``facts`` are ``None`` where the call did not get so far
    (failed, never recorded, or run without transcription).
    """

    recording: Recording
    status: CallStatus
    facts: AudioFacts | None = None
    activity: CallActivity | None = None
    transcript: Transcript | None = None
    hits: tuple[PhraseHit, ...] = ()
    failure: Failure | None = None
    stage_sha256: StageSha256 = StageSha256()
