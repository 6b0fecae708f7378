"""Calls with known truth: recorded clips, generated hold music and line noise, laid on a clock.

Everything is placed to the millisecond, so who speaks when, every silence and every hold are
known without measuring anything. The truth is kept as one boolean per channel and millisecond:
another arithmetic than the intervals of the package.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from models.training import line
from speechlytics.records import AudioFacts, Waveform

Samples = NDArray[np.float32]
Span = tuple[int, int]
Event = Literal["speech", "music", "pause"]

SPEECH_FOLDER = Path(__file__).parent / "data" / "speech"
SPEECH_PEAK_DB = -4.0
MUSIC_DB = -22.0


@dataclass(frozen=True, slots=True)
class Clip:
    """A spoken sentence: mono float32 samples and the milliseconds in which it is audible."""

    samples: Samples
    rate_hz: int
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Call:
    """A made-up call: float32 of shape (channels, n), and per channel and ms who is heard."""

    samples: Samples
    rate_hz: int
    speech: NDArray[np.bool_]
    music: NDArray[np.bool_]

    @property
    def duration_ms(self) -> int:
        return self.samples.shape[1] * 1000 // self.rate_hz

    def silences(self) -> list[Span]:
        """Truth: nobody speaks and nothing plays."""
        return stretches(~self.speech.any(0) & ~self.music.any(0))

    def holds(self) -> list[Span]:
        """Truth: music plays and nobody speaks."""
        return stretches(~self.speech.any(0) & self.music.any(0))

    def mono(self) -> Call:
        mixed = np.clip(self.samples.sum(0, keepdims=True), -1, 1)
        return Call(mixed, self.rate_hz, self.speech.any(0)[None], self.music.any(0)[None])


def stretches(mask: NDArray[np.bool_]) -> list[Span]:
    """Runs of True as (start, end), by walking over them."""
    at, found = 0, []
    for value, run in groupby(mask.tolist()):
        length = sum(1 for _ in run)
        if value:
            found.append((at, at + length))
        at += length
    return found


@lru_cache
def load_clips(rate_hz: int = 8000) -> tuple[Clip, ...]:
    """The committed sentences (Russian and English), all equally loud."""
    truth = json.loads((SPEECH_FOLDER / "truth.json").read_text(encoding="utf-8"))
    clips = []
    for entry in truth.values():
        with av.open(str(SPEECH_FOLDER / entry["file"])) as source:
            samples = _decoded(source, rate_hz).astype(np.float32) / 32768
        samples *= 10 ** (SPEECH_PEAK_DB / 20) / np.abs(samples).max()
        start_ms, end_ms = (round(entry[f"speech_{edge}_s"] * 1000) for edge in ("start", "end"))
        clips.append(Clip(samples, rate_hz, start_ms, end_ms))
    return tuple(clips)


class Score:
    """Clock on which a call is composed: every event starts where it is told."""

    def __init__(self, duration_ms: int, channels: int = 2, rate_hz: int = 8000) -> None:
        self.rate_hz = rate_hz
        self.samples = np.zeros((channels, duration_ms * rate_hz // 1000), np.float32)
        self.speech = np.zeros((channels, duration_ms), np.bool_)
        self.music = np.zeros((channels, duration_ms), np.bool_)

    def say(self, clip: Clip, at_ms: int, channel: int, gain_db: float = 0.0) -> int:
        """Lays a clip so that its first sound is at `at_ms`; returns when its last one ends."""
        assert clip.rate_hz == self.rate_hz, (clip.rate_hz, self.rate_hz)
        length_ms = clip.end_ms - clip.start_ms
        self._add(clip.samples * 10 ** (gain_db / 20), at_ms - clip.start_ms, channel)
        self.speech[channel, at_ms : at_ms + length_ms] = True
        return at_ms + length_ms

    def play(self, music: Samples, at_ms: int, channel: int) -> int:
        """Lays hold music; returns when it ends."""
        end_ms = at_ms + len(music) * 1000 // self.rate_hz
        self._add(music, at_ms, channel)
        self.music[channel, at_ms:end_ms] = True
        return end_ms

    def call(self, noise_db: float | None, rng: np.random.Generator) -> Call:
        """What the line makes of it: its band at 8 kHz, and noise on every channel."""
        samples = self.samples
        if self.rate_hz == line.RATE_HZ:
            samples = np.stack([line.telephone_band(row) for row in samples])
        if noise_db is not None:
            samples = samples + np.stack(
                [line.noise(samples.shape[1], noise_db, rng) for _ in samples]
            )
        clipped = np.clip(samples, -1, 1).astype(np.float32)
        return Call(clipped, self.rate_hz, self.speech, self.music)

    def _add(self, sound: Samples, at_ms: int, channel: int) -> None:
        start = at_ms * self.rate_hz // 1000
        skip = max(0, -start)
        end = min(self.samples.shape[1], start + len(sound))
        self.samples[channel, start + skip : end] += sound[skip : end - start]


Tune = Callable[[float, np.random.Generator, int], Samples]


def generated_tune(duration_s: float, rng: np.random.Generator, rate_hz: int) -> Samples:
    return line.hold_music(duration_s, rng, MUSIC_DB, rate_hz)


def dialogue(
    clips: Sequence[Clip],
    rng: np.random.Generator,
    *,
    turns: int = 14,
    noise_db: float | None = -55.0,
    silences: int = 2,
    holds: int = 2,
    tune: Tune = generated_tune,
) -> Call:
    """A two-channel call: turns with natural gaps, long silences (5–20 s), holds (10–40 s).

    Music plays on the agent's leg, on the customer's, or on both, and joins the speech before
    and after it with anything from no pause at all to 1.5 s.
    """
    rate_hz = clips[0].rate_hz
    events = ["silence"] * silences + ["hold"] * holds + ["turn"] * (turns - silences - holds)
    rng.shuffle(events)
    score = Score(60_000 * turns, 2, rate_hz)
    at, channel = int(rng.integers(200, 3000)), 0
    for event in events:
        for _ in range(int(rng.integers(1, 4))):
            clip = clips[int(rng.integers(len(clips)))]
            at = score.say(clip, at, channel, float(rng.uniform(-6, 0)))
            at += int(rng.integers(100, 600))
        at += int(rng.integers(-50, 900))
        if event == "silence":
            at += int(rng.integers(5_200, 20_000))
        elif event == "hold":
            music = tune(float(rng.uniform(10.5, 40)), rng, rate_hz)
            legs = ((0,), (1,), (0, 1))[int(rng.integers(3))]
            at = max(score.play(music, at, leg) for leg in legs)
            at += int(rng.choice([0, 150, 400, 800, 1500]))
        channel = 1 - channel
    last = score.say(clips[0], at, channel) + int(rng.integers(300, 4000))
    score.samples = score.samples[:, : last * rate_hz // 1000]
    score.speech, score.music = score.speech[:, :last], score.music[:, :last]
    return score.call(noise_db, rng)


def int16(samples: Samples) -> NDArray[np.int16]:
    return np.ascontiguousarray(np.round(samples * 32767).astype(np.int16))


def waveform(samples: Samples | NDArray[np.int16], rate_hz: int = 8000) -> Waveform:
    """What decoding would hand on; float32 in -1..1 becomes int16."""
    rows = np.atleast_2d(samples if samples.dtype == np.int16 else int16(samples))
    facts = AudioFacts("0" * 64, "pcm_s16le", rate_hz, len(rows), rows.shape[1] * 1000 // rate_hz)
    return Waveform(np.ascontiguousarray(rows), rate_hz, facts)


def coded(samples: NDArray[np.int16], rate_hz: int, codec: str) -> NDArray[np.int16]:
    """Every channel through an encoder and back, as PyAV has them: `mp3`, `opus`, `alaw`, …

    Encoder delay is taken off as a player does: by the container's own account of it.
    """
    return np.stack([_coded(row, rate_hz, codec) for row in samples])


_CONTAINER = {
    "pcm_alaw": ("wav", None),
    "pcm_mulaw": ("wav", None),
    "libmp3lame": ("mp3", 16_000),
    "libopus": ("ogg", 16_000),
}


def _coded(row: NDArray[np.int16], rate_hz: int, codec: str) -> NDArray[np.int16]:
    container, bit_rate = _CONTAINER[codec]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate_hz, layout="mono")
        if bit_rate:
            stream.bit_rate = bit_rate
        resampler = av.AudioResampler(stream.format.name, "mono", rate_hz)
        frame = av.AudioFrame.from_ndarray(row[None], "s16", "mono")
        frame.sample_rate, frame.pts = rate_hz, 0
        fifo = av.AudioFifo()
        for piece in resampler.resample(frame):
            fifo.write(piece)
        size = stream.codec_context.frame_size or 1024
        for piece in [*fifo.read_many(size), fifo.read()]:
            if piece is not None:
                out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer) as source:
        whole = _decoded(source, rate_hz)
    return np.pad(whole, (0, max(0, len(row) - len(whole))))[: len(row)]


def _decoded(source: av.container.InputContainer, rate_hz: int) -> NDArray[np.int16]:
    resampler = av.AudioResampler("s16", "mono", rate_hz)
    frames = [*source.decode(audio=0), None]
    return np.concatenate([p.to_ndarray()[0] for f in frames for p in resampler.resample(f)])
