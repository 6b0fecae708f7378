"""Calls put together from committed sentences, so that every word's time is known."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from speechlytics.records import (
    AudioFacts,
    CallActivity,
    ChannelActivity,
    Interval,
    Role,
    Waveform,
)

RATE_HZ = 8000
_ROLES: tuple[Role, ...] = ("agent", "customer")


@dataclass(frozen=True, slots=True)
class Sentence:
    text: str
    samples: NDArray[np.int16]
    words: tuple[tuple[str, int, int], ...]

    @property
    def duration_ms(self) -> int:
        return len(self.samples) * 1000 // RATE_HZ


@dataclass(frozen=True, slots=True)
class SpokenCall:
    """``turns``: (channel, start_ms, sentence) as they were laid down."""

    waveform: Waveform
    activity: CallActivity
    turns: tuple[tuple[int, int, Sentence], ...]

    def text(self, channel: int) -> str:
        return normal(" ".join(s.text for c, _, s in self.turns if c == channel))

    def words(self, channel: int) -> list[tuple[str, int, int]]:
        return [
            (normal(word), at + start, at + end)
            for c, at, sentence in self.turns
            if c == channel
            for word, start, end in sentence.words
        ]


def normal(text: str) -> str:
    return " ".join(re.sub(r"[^\w ]", " ", text.lower().replace("ё", "е")).split())


@lru_cache(maxsize=1)
def sentences() -> tuple[Sentence, ...]:
    with np.load(Path(__file__).parent / "data/transcribe/sentences.npz") as data:
        level = data["mu_law"].astype(np.float64) / 127
        linear = np.sign(level) * np.expm1(np.abs(level) * np.log1p(255.0)) / 255
        samples = np.round(linear * 32767).astype(np.int16)
        parts = np.split(samples, np.cumsum(data["lengths"])[:-1])
        truth = json.loads(str(data["words"]))
    return tuple(
        Sentence(text, part, tuple((w, round(a * 1000), round(b * 1000)) for w, a, b in words))
        for part, (text, words) in zip(parts, truth, strict=True)
    )


def spoken_call(
    turns: Sequence[tuple[int, int]],
    *,
    gaps_ms: Sequence[int] = (700, 4000, 1500),
    channels: int = 2,
    noise: float = 12.0,
) -> SpokenCall:
    """Lay down ``(channel, index of sentence)`` one after another with pauses between."""
    rng = np.random.default_rng(7)
    at_ms, placed = 500, []
    for number, (channel, index) in enumerate(turns):
        sentence = sentences()[index]
        placed.append((channel, at_ms, sentence))
        at_ms += sentence.duration_ms + gaps_ms[number % len(gaps_ms)]
    samples = rng.normal(0, noise, (channels, at_ms * RATE_HZ // 1000))
    for channel, start_ms, sentence in placed:
        start = start_ms * RATE_HZ // 1000
        samples[channel, start : start + len(sentence.samples)] += sentence.samples
    activity = tuple(
        ChannelActivity(
            channel,
            _ROLES[channel],
            tuple(Interval(at, at + s.duration_ms) for c, at, s in placed if c == channel),
            (),
        )
        for channel in range(channels)
    )
    clipped = np.clip(np.round(samples), -32768, 32767).astype(np.int16)
    facts = AudioFacts("0" * 64, "pcm_s16le", RATE_HZ, channels, at_ms)
    return SpokenCall(
        Waveform(clipped, RATE_HZ, facts),
        CallActivity(at_ms, activity, (), None, None, None, None),
        tuple(placed),
    )
