"""From a written dialogue to two channels of telephone audio and the exact truth about them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.training import line, voice
from pipelines.demo.dialogue import Dialogue, Pause, Turn

RATE_HZ = line.RATE_HZ
CHANNELS = {"agent": 0, "customer": 1}

_LEAD_S = 0.6
_TAIL_S = 0.7
_GAP_S = (0.3, 0.85)
_SPEECH_PEAK = {"agent": 0.55, "customer": 0.45}
# Comfort noise of a good and of an ordinary line, dBFS RMS; speech lies near -20.
_NOISE_DB = (-62.0, -54.0)
_MUSIC_DB = -24.0

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class RenderedCall:
    """`samples` is float32, shape (channels, frames) at RATE_HZ; `truth` is one line of truth."""

    samples: Samples
    truth: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Spoken:
    turn: Turn
    samples: Samples
    start_s: float
    words: list[list[Any]]

    @property
    def end_s(self) -> float:
        return self.start_s + len(self.samples) / RATE_HZ


@dataclass(frozen=True, slots=True)
class _Gap:
    pause: Pause
    start_s: float
    end_s: float


def render_call(dialogue: Dialogue) -> RenderedCall:
    """Speaks a dialogue; the same dialogue gives the same samples."""
    rng = np.random.default_rng(zlib.crc32(dialogue.call_id.encode()))
    spoken, gaps, duration_s = _laid_out(dialogue, rng)
    channels = np.zeros((2, round(duration_s * RATE_HZ)), np.float32)
    for part in spoken:
        begin = round(part.start_s * RATE_HZ)
        channels[CHANNELS[part.turn.role], begin : begin + len(part.samples)] += part.samples
    for gap in gaps:
        if gap.pause.kind == "hold_music":
            tune = line.hold_music(gap.end_s - gap.start_s, rng, _MUSIC_DB)
            begin = round(gap.start_s * RATE_HZ)
            channels[CHANNELS["agent"], begin : begin + len(tune)] += tune
    noise_db = float(rng.uniform(*_NOISE_DB))
    lined = [
        line.telephone_band(channel) + line.noise(len(channel), noise_db, rng)
        for channel in channels
    ]
    samples = np.stack([lined[0] + lined[1]] if dialogue.mono else lined)
    return RenderedCall(
        np.clip(samples, -1, 1).astype(np.float32), _truth(dialogue, spoken, gaps, duration_s)
    )


def _laid_out(
    dialogue: Dialogue, rng: np.random.Generator
) -> tuple[list[_Spoken], list[_Gap], float]:
    """Places turns and pauses on the time line; a pause runs from speech end to speech start."""
    spoken: list[_Spoken] = []
    gaps: list[_Gap] = []
    at_s, after_pause = _LEAD_S, True
    for part in dialogue.parts:
        if isinstance(part, Pause):
            gaps.append(_Gap(part, at_s, at_s + part.duration_s))
            at_s, after_pause = at_s + part.duration_s, True
            continue
        speaker = dialogue.speakers[part.role]
        samples, words = voice.render(
            part.text, dialogue.language, speaker.voice, speaker.rate_wpm, speaker.pitch
        )
        gap_s = 0.0 if after_pause else part.gap_s or float(rng.uniform(*_GAP_S))
        start_s = round((at_s + gap_s) * RATE_HZ) / RATE_HZ
        spoken.append(
            _Spoken(
                part,
                samples * np.float32(_SPEECH_PEAK[part.role] / 0.9),
                start_s,
                [[w, round(start_s + a, 3), round(start_s + b, 3)] for w, a, b in words],
            )
        )
        at_s, after_pause = max(at_s, spoken[-1].end_s), False
    tail_s = 0.0 if gaps and gaps[-1].end_s >= at_s else _TAIL_S
    return spoken, gaps, at_s + tail_s


def _truth(
    dialogue: Dialogue, spoken: list[_Spoken], gaps: list[_Gap], duration_s: float
) -> dict[str, Any]:
    turns = [
        {
            "turn": index,
            "role": part.turn.role,
            "channel": 0 if dialogue.mono else CHANNELS[part.turn.role],
            "start_s": round(part.start_s, 3),
            "end_s": round(part.end_s, 3),
            "text": part.turn.text,
            "words": part.words,
            **_labels(part.turn, dialogue.mono),
        }
        for index, part in enumerate(spoken)
    ]
    return {
        "call_id": dialogue.call_id,
        "language": dialogue.language,
        "started_at": dialogue.started_at.isoformat(),
        "duration_s": round(duration_s, 3),
        "codec": dialogue.codec,
        "channels": 1 if dialogue.mono else 2,
        "turns": turns,
        "silences": [_silence(gap, spoken) for gap in gaps],
        "resolved": dialogue.resolved,
        "reason": dialogue.reason,
    }


def _labels(turn: Turn, mono: bool) -> dict[str, list[str]]:
    """Phrase labels of a turn; on one channel nobody can tell the roles, so no rule must fire."""
    if mono:
        return {"phrases": [], "may": [*turn.phrases, *turn.may]}
    return {"phrases": list(turn.phrases), "may": list(turn.may)}


def _silence(gap: _Gap, spoken: list[_Spoken]) -> dict[str, Any]:
    before = [part.turn for part in spoken if part.end_s <= gap.start_s + 1e-6]
    after = [part.turn for part in spoken if part.start_s >= gap.end_s - 1e-6]
    last = before[-1] if before else None
    return {
        "start_s": round(gap.start_s, 3),
        "end_s": round(gap.end_s, 3),
        "kind": gap.pause.kind,
        "position": "inner" if last and after else "trailing" if last else "leading",
        "before_role": last.role if last else None,
        "after_role": after[0].role if after else None,
        "announced": gap.pause.announced,
        "after_question": last is not None and last.role == "customer" and "?" in last.text,
        "harmful": gap.pause.harmful,
        "cause": gap.pause.cause,
    }
