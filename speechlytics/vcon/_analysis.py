"""Transcripts that vCons carry as analysis, in the shapes that tools write → turns.

Understood are Whisper's and WhisperX's ``segments`` (also as a bare list), Deepgram's
``results`` (``utterances``, else the words of each channel), one transcript with ``words``
(vcon-server), and plain text, one line per turn. Plain text has no times: its lines share the
duration of the dialog by their length, and ``times`` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from speechlytics.errors import ImportRefused
from speechlytics.vcon._content import inline_bytes

MAX_PAUSE_S = 1.0  # words of one speaker that are nearer than this are one turn
CHARACTERS_PER_S = 15.0  # of fluent speech; only where nothing says how long a dialog lasted
_LABELLED = re.compile(r"^\[?([^\W\d_][^:\]]{0,39})\]?:\s+(\S.*)$")
_TEXT_KEYS = ("text", "transcript", "body", "message")
_END_KEYS = ("end", "end_time", "end_s")
_START_KEYS = ("start", "start_time", "start_s")
Turn = dict[str, Any]


def transcript_turns(
    raw: dict[str, Any], where: str, at: str, duration_s: float | None
) -> tuple[list[Turn], str | None, Literal["stated", "estimated"]]:
    """Turns with ``start_s``, ``end_s``, ``text`` and who spoke as the tool says it.

    Returns:
        The turns, the language if stated, and whether the times are the tool's own.

    Raises:
        ImportRefused: the content is outside the vCon or of no known shape.
    """
    if not raw.get("body"):
        raise ImportRefused(f"{where}: {at}: has no body; a transcript must lie in the vCon")
    text = inline_bytes(raw["body"], raw.get("encoding"), where, at).decode("utf-8", "replace")
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        body = text
    language = body.get("language") if isinstance(body, dict) else None
    turns = _timed(body, where, at)
    if turns is not None:
        return turns, language if isinstance(language, str) else None, "stated"
    plain = _plain(body)
    if plain is None:
        raise ImportRefused(
            f"{where}: {at}.body: a transcript of unknown shape; known are segments, words, "
            "Deepgram results and plain text"
        )
    return _spread(plain, duration_s), None, "estimated"


def _timed(body: Any, where: str, at: str) -> list[Turn] | None:
    """Turns of a shape with times; ``None`` where it has none."""
    if isinstance(body, list):
        return [_turn(item, where, f"{at}.body[{n}]") for n, item in enumerate(body)]
    if not isinstance(body, dict):
        return None
    results = body.get("results")
    nested = results if isinstance(results, dict) else body
    for key in ("segments", "utterances", "turns"):
        listed = nested.get(key)
        if isinstance(listed, list) and listed:
            return [_turn(s, where, f"{at}.body.{key}[{n}]") for n, s in enumerate(listed)]
    channels = nested.get("channels")
    if isinstance(channels, list):
        return sorted(
            (turn for n, channel in enumerate(channels) for turn in _channel(channel, n)),
            key=lambda turn: float(turn["start_s"]),
        )
    if isinstance(nested.get("words"), list):
        return list(_from_words(nested["words"], {}))
    return None


def _turn(raw: Any, where: str, at: str) -> Turn:
    if not isinstance(raw, dict):
        raise ImportRefused(f"{where}: {at}: expected an object, found {type(raw).__name__}")
    turn: Turn = {
        "start_s": _first(raw, _START_KEYS),
        "end_s": _first(raw, _END_KEYS),
        "text": _first(raw, _TEXT_KEYS),
    }
    if turn["end_s"] is None and isinstance(raw.get("duration"), int | float):
        turn["end_s"] = (turn["start_s"] or 0) + raw["duration"]
    for key in ("start_s", "end_s"):
        if isinstance(turn[key], bool) or not isinstance(turn[key], int | float):
            raise ImportRefused(f"{where}: {at}: {key} = {turn[key]!r} is not a time in seconds")
    if not isinstance(turn["text"], str):
        raise ImportRefused(f"{where}: {at}: has no text")
    kept = ("speaker", "channel", "party", "role", "words", "avg_logprob", "no_speech_prob")
    return turn | {key: raw[key] for key in kept if raw.get(key) is not None}


def _first(raw: Mapping[str, Any], keys: Sequence[str]) -> Any:
    return next((raw[key] for key in keys if raw.get(key) is not None), None)


def _channel(raw: Any, number: int) -> Iterator[Turn]:
    alternatives = raw.get("alternatives") if isinstance(raw, dict) else None
    if isinstance(alternatives, list) and alternatives and isinstance(alternatives[0], dict):
        yield from _from_words(alternatives[0].get("words") or [], {"channel": number})


def _from_words(words: Sequence[Any], who: Mapping[str, Any]) -> Iterator[Turn]:
    """Words with times → turns: a new one at another speaker and at a pause."""
    turn: Turn | None = None
    for word in words:
        timed = isinstance(word, dict) and all(
            isinstance(word.get(key), int | float) for key in ("start", "end")
        )
        if not timed:
            continue
        said = str(word.get("punctuated_word") or word.get("word") or word.get("text") or "")
        speaker = word.get("speaker")
        if (
            turn is None
            or turn.get("speaker") != speaker
            or word["start"] - turn["end_s"] > MAX_PAUSE_S
        ):
            if turn is not None:
                yield turn
            turn = {"start_s": word["start"], "text": "", "words": [], **who}
            if speaker is not None:
                turn["speaker"] = speaker
        turn["end_s"] = word["end"]
        turn["text"] = f"{turn['text']} {said}".strip()
        probability = word.get("confidence", word.get("probability"))
        timing = {"start": word["start"], "end": word["end"]}
        turn["words"].append({"word": said, **timing, "probability": probability})
    if turn is not None:
        yield turn


def _plain(body: Any) -> str | None:
    if isinstance(body, str):
        return body
    text = _first(body, _TEXT_KEYS) if isinstance(body, dict) else None
    return text if isinstance(text, str) else None


def _spread(text: str, duration_s: float | None) -> list[Turn]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    whole = sum(map(len, lines))
    length_s = duration_s or whole / CHARACTERS_PER_S
    turns, at = [], 0
    for line in lines:
        label = _LABELLED.match(line)
        turn: Turn = {"start_s": at / whole * length_s, "text": label[2] if label else line}
        if label:
            turn["speaker"] = label[1].strip()
        at += len(line)
        turn["end_s"] = at / whole * length_s
        turns.append(turn)
    return turns
