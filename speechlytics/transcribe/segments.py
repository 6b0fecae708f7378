"""Window transcripts → segments of a call, on the recording's clock, with doubts flagged.

Nothing is dropped: a segment that Whisper may have invented is marked and kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from speechlytics.config import TranscribeConfig
from speechlytics.errors import TranscriptionError
from speechlytics.records import CallActivity, Interval, Segment, Transcript, Word
from speechlytics.transcribe.engine import (
    WindowFailure,
    WindowResult,
    WindowTranscript,
    WindowWord,
)
from speechlytics.transcribe.suspects import suspect
from speechlytics.transcribe.windows import Piece, TimeMap, Window


@dataclass(frozen=True, slots=True)
class _Placed:
    """A word of a window, put into the recording; ``heard`` is where the model claims it was."""

    word: Word
    heard: Interval
    piece: Piece


def segments_from(
    windows: Sequence[Window],
    results: Sequence[WindowResult],
    activity: CallActivity,
    *,
    config: TranscribeConfig,
    model_id: str,
) -> Transcript:
    """Transcript of one call.

    Words are held inside the stretch of speech that they were heard in. A segment ends at a
    pause of ``config.segment_pause_ms`` and at the end of its window.

    Args:
        windows: Windows of the call, from ``prepare_windows``.
        results: What the engine said about each.
        activity: Where the call holds speech.
        config: Pause and thresholds.
        model_id: Model that wrote the transcript.

    Raises:
        TranscriptionError: a window failed; the message says where and why.
    """
    drafts: list[Segment] = []
    heard_ms: dict[tuple[str, float], int] = {}
    speech = {channel.channel: channel.speech for channel in activity.channels}
    for window, result in zip(windows, results, strict=True):
        if isinstance(result, WindowFailure):
            raise TranscriptionError(
                f"call {window.call_id!r}, channel {window.channel}, "
                f"{window.times.pieces[0].start_ms / 1000:.1f}–"
                f"{window.times.pieces[-1].end_ms / 1000:.1f} s: {result.error}"
            )
        key = (result.language, result.language_probability)
        heard_ms[key] = heard_ms.get(key, 0) + window.duration_ms
        spoken = speech.get(window.channel, ())
        groups = _groups(_place(result.words, window.times), config.segment_pause_ms)
        drafts += [_segment(window, result, group, spoken, config) for group in groups]
    drafts.sort(key=lambda segment: (segment.start_ms, segment.channel, segment.end_ms))
    language, probability = max(heard_ms, key=lambda k: heard_ms[k]) if heard_ms else (None, None)
    return Transcript(
        segments=tuple(replace(draft, segment_id=i) for i, draft in enumerate(drafts)),
        language=language,
        language_probability=probability,
        source="asr",
        model_id=model_id,
    )


def _place(words: Iterable[WindowWord], times: TimeMap) -> list[_Placed]:
    placed: list[_Placed] = []
    at = (0, 0)
    for word in words:
        piece = times.piece_of(word.start_ms, word.end_ms)
        # Alignment is monotonous, rounding is not: never step back over the word before.
        start_ms = _into_speech(piece, piece.to_recording(word.start_ms))
        end_ms = _into_speech(piece, piece.to_recording(word.end_ms))
        start_ms = max(start_ms, at[1]) if at[0] == piece.offset_ms else start_ms
        end_ms = max(end_ms, start_ms)
        at = (piece.offset_ms, end_ms)
        heard = Interval(piece.to_recording(word.start_ms), piece.to_recording(word.end_ms))
        placed.append(
            _Placed(Word(word.word, start_ms, end_ms, round(word.probability, 4)), heard, piece)
        )
    return placed


def _into_speech(piece: Piece, at_ms: int) -> int:
    return min(max(at_ms, piece.speech_start_ms), piece.speech_end_ms)


def _groups(placed: list[_Placed], pause_ms: int) -> list[list[_Placed]]:
    """Words between which nobody pauses long: by the sound, not by the model's word times."""
    groups: list[list[_Placed]] = []
    for item in placed:
        if groups and not _pauses(groups[-1][-1], item, pause_ms):
            groups[-1].append(item)
        else:
            groups.append([item])
    return groups


def _pauses(before: _Placed, after: _Placed, pause_ms: int) -> bool:
    if before.piece is after.piece:
        return after.word.start_ms - before.word.end_ms >= pause_ms
    return after.piece.speech_start_ms - before.piece.speech_end_ms >= pause_ms


def _segment(
    window: Window,
    result: WindowTranscript,
    group: list[_Placed],
    speech: tuple[Interval, ...],
    config: TranscribeConfig,
) -> Segment:
    words = tuple(item.word for item in group)
    segment = Segment(
        segment_id=0,
        channel=window.channel,
        role=window.role,
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        text=" ".join(word.word for word in words),
        language=result.language,
        avg_logprob=result.avg_logprob,
        no_speech_prob=result.no_speech_prob,
        compression_ratio=result.compression_ratio,
        words=words,
    )
    heard = [item.heard for item in group]
    return replace(segment, suspect=suspect(segment, heard, speech, config))
