"""SubRip (.srt) and WebVTT (.vtt) captions with speaker labels."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from speechlytics.errors import ImportRefused
from speechlytics.records import Role, Segment
from speechlytics.transcripts._calls import ImportedCall
from speechlytics.transcripts._roles import CHANNELS, numbered, role_of

_STAMP = r"(?:(\d{1,3}):)?(\d{2}):(\d{2})[.,](\d{3})"
_TIMES = re.compile(rf"^\s*{_STAMP}\s*-->\s*{_STAMP}")
# <v Agent>…</v> of WebVTT, [SPEAKER_00]: of WhisperX, "Agent: …" of everybody else
_SPEAKER = re.compile(
    r"^(?:<v(?:\.[^ >]*)? +([^>]+)>|\[([^\]]{1,40})\]:?|([^\W\d][\w .-]{0,39}):)\s*"
)
_TAG = re.compile(r"</?[a-z][^>]*>")


def read_captions(
    path: Path, text: str, speakers: Mapping[str, Role], _text_key: str = "text"
) -> Iterator[ImportedCall | ImportRefused]:
    """A file of captions is one conversation; a cue without a label keeps the last speaker."""
    try:
        origins, segments = numbered(_cues(str(path), text, speakers))
    except ImportRefused as refused:
        yield refused
        return
    if not segments:
        yield ImportRefused(f"{path}: holds no cue with a time and a text")
        return
    yield ImportedCall(
        call_id=path.stem,
        segments=segments,
        turns=tuple(origins),
        duration_ms=max(s.end_ms for s in segments),
        where=str(path),
    )


def _cues(where: str, text: str, speakers: Mapping[str, Role]) -> Iterator[tuple[int, Segment]]:
    lines = text.splitlines()
    speaker: str | None = None
    index = 0
    for number, line in enumerate(lines):
        times = _TIMES.match(line)
        if times is None:
            if "-->" in line:
                raise ImportRefused(f"{where}:{number + 1}: {line.strip()!r} is not a time range")
            continue
        start_ms, end_ms = _ms(times.groups()[:4]), _ms(times.groups()[4:])
        if end_ms < start_ms:
            raise ImportRefused(f"{where}:{number + 1}: the cue ends before it starts")
        said: list[str] = []
        for following in lines[number + 1 :]:
            if not following.strip():
                break
            said.append(following.strip())
        words = " ".join(said)
        label = _SPEAKER.match(words)
        if label is not None and (label.group(3) is None or _is_label(label.group(3), speakers)):
            speaker = next(group for group in label.groups() if group is not None).strip()
            words = words[label.end() :]
        words = _TAG.sub("", words).strip()
        if words:
            role = role_of(speaker, speakers)
            yield index, Segment(index, CHANNELS[role], role, start_ms, end_ms, words)
            index += 1


def _is_label(name: str, speakers: Mapping[str, Role]) -> bool:
    """A bare "Name:" is a label only if it names a role: people do say words before a colon."""
    return role_of(name, speakers) != "unknown" or name.upper().startswith("SPEAKER")


def _ms(stamp: tuple[str | None, ...]) -> int:
    hours, minutes, seconds, millis = (int(part or 0) for part in stamp)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + millis
