"""Conversations as JSON: our turns format, faster-whisper's and WhisperX's segments."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from speechlytics.errors import ImportRefused
from speechlytics.records import Interval, Role, Segment, SilenceKind, Word
from speechlytics.transcripts._calls import ImportedCall
from speechlytics.transcripts._roles import CHANNELS, numbered, role_of
from speechlytics.transcripts._turns import Span

_KINDS: dict[str, SilenceKind] = {
    "silence": "silence",
    "dead_air": "silence",
    "hold_silence": "silence",
    "hold_music": "hold_music",
}
# Truth about a call that some files carry: never read, least of all into ``extra``.
_NEVER_READ = frozenset({"labels", "turns", "segments", "silences", "word_segments"})
MAX_DURATION_S = 7 * 24 * 3600.0  # a time beyond it is a defect of the file, not a long call


def read_jsonl(
    path: Path, text: str, speakers: Mapping[str, Role], text_key: str = "text"
) -> Iterator[ImportedCall | ImportRefused]:
    """One conversation per line; blank lines are skipped."""
    seen: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        try:
            call = _call(line, where, f"{path.stem}-{number}", speakers, text_key)
        except ImportRefused as refused:
            yield refused
            continue
        first = seen.setdefault(call.call_id, number)
        if first == number:
            yield call
        else:
            yield ImportRefused(f"{where}: call_id {call.call_id!r} was used in line {first}")


def read_json(
    path: Path, text: str, speakers: Mapping[str, Role], text_key: str = "text"
) -> Iterator[ImportedCall | ImportRefused]:
    """A file that holds one conversation."""
    try:
        yield _call(text, str(path), path.stem, speakers, text_key)
    except ImportRefused as refused:
        yield refused


def _call(
    text: str, where: str, name: str, speakers: Mapping[str, Role], text_key: str
) -> ImportedCall:
    try:
        raw = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ImportRefused(f"{where}: not valid JSON: {error}") from error
    if not isinstance(raw, dict):
        raise ImportRefused(f"{where}: expected an object, found {type(raw).__name__}")
    return conversation(raw, where, speakers, name=name, text_key=text_key)


def conversation(
    raw: Mapping[str, Any],
    where: str,
    speakers: Mapping[str, Role],
    *,
    name: str = "",
    text_key: str = "text",
) -> ImportedCall:
    """A conversation from an object that was parsed already.

    Args:
        raw: Call metadata, ``turns`` (or ``segments``) and ``silences``.
        where: File and line, for messages.
        speakers: Role by speaker label.
        name: Call id if the object has none.
        text_key: Field of a turn that holds its words.

    Raises:
        ImportRefused: what is wrong, and in which turn.
    """
    turns = raw.get("turns", raw.get("segments"))
    if not isinstance(turns, list):
        raise ImportRefused(f"{where}: has neither a list 'turns' nor a list 'segments'")
    call_id = raw.get("call_id", name)
    if not isinstance(call_id, str | int) or not str(call_id).strip():
        raise ImportRefused(f"{where}: call_id = {call_id!r} is not an id")
    language = raw.get("language")
    if not (language is None or isinstance(language, str)):
        raise ImportRefused(f"{where}: language = {language!r} is not a code such as 'ru'")
    _check_metadata(raw, where)
    origins, segments = numbered(_segments(turns, where, language, speakers, text_key))
    spans = tuple(_spans(raw.get("silences") or [], where))
    stated = _seconds(raw["duration_s"], where, "duration_s") if raw.get("duration_s") else 0
    return ImportedCall(
        call_id=str(call_id),
        segments=segments,
        turns=tuple(origins),
        duration_ms=max([stated, *(s.end_ms for s in segments)]),
        spans=spans,
        language=language,
        metadata={k: v for k, v in raw.items() if k not in _NEVER_READ},
        where=where,
    )


def _segments(
    turns: Sequence[Any],
    where: str,
    language: str | None,
    speakers: Mapping[str, Role],
    text_key: str,
) -> Iterator[tuple[int, Segment]]:
    for index, turn in enumerate(turns):
        at = f"{where}: turn {index}"
        if not isinstance(turn, dict):
            raise ImportRefused(f"{at}: expected an object, found {type(turn).__name__}")
        text = turn.get(text_key)
        if not isinstance(text, str):
            raise ImportRefused(f"{at}: {text_key} = {text!r} is not a text")
        start_ms, end_ms = _times(turn, at)
        if not text.strip():
            continue
        role = role_of(turn.get("speaker"), speakers)
        yield (
            index,
            Segment(
                segment_id=index,
                channel=CHANNELS[role],
                role=role,
                start_ms=start_ms,
                end_ms=end_ms,
                text=text.strip(),
                language=turn.get("language") or language,
                avg_logprob=turn.get("avg_logprob"),
                no_speech_prob=turn.get("no_speech_prob"),
                compression_ratio=turn.get("compression_ratio"),
                words=tuple(_words(turn.get("words") or [], at)),
            ),
        )


def _times(turn: Mapping[str, Any], at: str) -> tuple[int, int]:
    """Start and end; ``start_s``/``end_s`` of ours or ``start``/``end`` of the Whisper tools."""
    values = []
    for key in ("start", "end"):
        name = f"{key}_s" if f"{key}_s" in turn else key
        if turn.get(name) is None:
            raise ImportRefused(f"{at}: has no {key}_s")
        values.append(_seconds(turn[name], at, name))
    start_ms, end_ms = values
    if end_ms < start_ms:
        raise ImportRefused(f"{at}: ends at {end_ms} ms before it starts at {start_ms} ms")
    return start_ms, end_ms


def _words(words: Sequence[Any], at: str) -> Iterator[Word]:
    """Words with times; WhisperX leaves out the times of words that it could not align."""
    for word in words:
        if not isinstance(word, dict):
            raise ImportRefused(f"{at}: words: expected objects, found {word!r}")
        if word.get("start") is None or word.get("end") is None:
            continue
        start_ms, end_ms = _times(word, at)
        probability = word.get("probability", word.get("score"))
        yield Word(str(word.get("word", "")).strip(), start_ms, end_ms, probability)


def _spans(silences: Sequence[Any], where: str) -> Iterator[Span]:
    for index, silence in enumerate(silences):
        at = f"{where}: silence {index}"
        if not isinstance(silence, dict):
            raise ImportRefused(f"{at}: expected an object, found {type(silence).__name__}")
        kind = _KINDS.get(str(silence.get("kind", "silence")))
        if kind is None:
            raise ImportRefused(
                f"{at}: kind = {silence['kind']!r} is not known; use 'silence' or 'hold_music'"
            )
        yield Interval(*_times(silence, at)), kind


def _check_metadata(raw: Mapping[str, Any], where: str) -> None:
    started = raw.get("started_at")
    if started is not None:
        try:
            datetime.fromisoformat(started)
        except (TypeError, ValueError) as error:
            raise ImportRefused(
                f"{where}: started_at = {started!r} is not an ISO 8601 time"
            ) from error
    for key in ("wait_s", "csat", "duration_s"):
        if raw.get(key) is not None:
            _number(raw[key], where, key)
    if not isinstance(raw.get("answered"), bool | None):
        raise ImportRefused(f"{where}: answered = {raw['answered']!r} is neither true nor false")


def _seconds(value: Any, at: str, key: str) -> int:
    """Seconds in a file → milliseconds."""
    number = _number(value, at, key)
    if number < 0 or number > MAX_DURATION_S:
        raise ImportRefused(f"{at}: {key} = {value!r} is not a time inside a call")
    return round(number * 1000)


def _number(value: Any, at: str, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ImportRefused(f"{at}: {key} = {value!r} is not a finite number")
    return float(value)
