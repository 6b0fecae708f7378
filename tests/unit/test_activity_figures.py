"""How well silences of 5 s and holds of 10 s are found, by codec and line noise.

The table in docs/activity.md is what the slow sweep prints:

    pytest -m slow -s tests/unit/test_activity_figures.py
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
import pytest

from speechlytics.activity import measure
from speechlytics.config import ActivityConfig
from speechlytics.records import Silence
from tests import signals
from tests.signals import Span

CONFIG = ActivityConfig()
SWEEP = range(100, 104)
SILENCE_FLOOR_MS = 5_000
HOLD_FLOOR_MS = 10_000
GSM = Path(__file__).parents[1] / "data" / "activity" / "dialogue.gsm"


def overlap(first: Span, second: Span) -> float:
    """Intersection over union."""
    inner = min(first[1], second[1]) - max(first[0], second[0])
    return max(0, inner) / (max(first[1], second[1]) - min(first[0], second[0]))


@dataclass
class Tally:
    """Found spans against true ones of one kind, summed over calls."""

    floor_ms: int
    true: int = 0
    recalled: int = 0
    found: int = 0
    right: int = 0
    errors_ms: list[int] = field(default_factory=list)

    def add(self, found: list[Span], truth: list[Span]) -> None:
        for span in truth:
            if span[1] - span[0] >= self.floor_ms:
                best = max(found, key=lambda other: overlap(span, other), default=(0, 1))
                hit = overlap(span, best) >= 0.8
                self.true += 1
                self.recalled += hit
                self.errors_ms += [best[0] - span[0], best[1] - span[1]] if hit else []
        for span in found:
            if span[1] - span[0] >= self.floor_ms:
                self.found += 1
                self.right += any(overlap(span, other) >= 0.8 for other in truth)

    def check(self) -> None:
        assert self.true, "the calls hold nothing to find"
        assert self.recalled / self.true >= 0.97, self
        assert self.right / max(1, self.found) >= 0.97, self

    def merge(self, other: Tally) -> None:
        for name in ("true", "recalled", "found", "right", "errors_ms"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def error_ms(self) -> float:
        return float(np.median(np.abs(self.errors_ms)))

    def cells(self) -> str:
        far = np.percentile(np.abs(self.errors_ms), 90)
        return (
            f"{self.right}/{self.found} | {self.recalled}/{self.true} "
            f"| {self.error_ms():.0f} | {far:.0f}"
        )


class Figures:
    def __init__(self) -> None:
        self.silence, self.hold = Tally(SILENCE_FLOOR_MS), Tally(HOLD_FLOOR_MS)

    def add(self, found: Iterable[Silence], silences: list[Span], holds: list[Span]) -> None:
        spans = [(s.kind, (s.start_ms, s.end_ms)) for s in found]
        self.silence.add([span for kind, span in spans if kind == "silence"], silences)
        self.hold.add([span for kind, span in spans if kind == "hold_music"], holds)

    def check(self) -> None:
        self.silence.check()
        self.hold.check()

    def merge(self, other: Figures) -> None:
        self.silence.merge(other.silence)
        self.hold.merge(other.hold)


@lru_cache
def figures(
    codec: str | None,
    rate_hz: int,
    noise_db: float | None,
    seeds: Iterable[int],
    mono: bool = False,
) -> Figures:
    result = Figures()
    for seed in seeds:
        rng = np.random.default_rng(seed)
        call = signals.dialogue(signals.load_clips(rate_hz), rng, turns=9, noise_db=noise_db)
        call = call.mono() if mono else call
        samples = signals.int16(call.samples)
        if codec is not None:
            samples = signals.coded(samples, rate_hz, codec)
        found = measure(signals.waveform(samples, rate_hz), ("agent", "customer"), CONFIG)
        result.add(found.silences, call.silences(), call.holds())
    return result


CASES = [
    (None, 8000, -55.0, range(2), False),
    (None, 8000, None, range(2), True),
    (None, 16000, -50.0, range(1), False),
    ("pcm_alaw", 8000, -50.0, range(2, 4), False),
    ("libmp3lame", 8000, -55.0, range(2, 3), False),
    ("libopus", 16000, -55.0, range(3, 4), False),
]


@pytest.mark.parametrize(("codec", "rate_hz", "noise_db", "seeds", "mono"), CASES)
def test_long_silences_and_holds_are_found(codec, rate_hz, noise_db, seeds, mono) -> None:
    figures(codec, rate_hz, noise_db, seeds, mono).check()


def test_gsm() -> None:
    """A committed recording: PyAV decodes GSM but cannot encode it."""
    truth = json.loads(GSM.with_suffix(".json").read_text(encoding="utf-8"))
    with av.open(str(GSM), format="gsm") as source:
        samples = np.concatenate([f.to_ndarray() for f in source.decode(audio=0)], axis=1)
    found = measure(signals.waveform(samples), ("agent", "customer"), CONFIG)
    result = Figures()
    result.add(found.silences, *([tuple(s) for s in truth[k]] for k in ("silences", "holds")))
    result.check()


def test_boundaries() -> None:
    """Half of the boundaries are within 50 ms: of one call the few say little."""
    total = Figures()
    for case in CASES:
        total.merge(figures(*case))
    assert total.silence.error_ms() <= 50
    assert total.hold.error_ms() <= 50


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_sweep() -> None:
    """Prints the table; every row but the noisiest must hold the promise."""
    head = "precision | recall | error, median ms | 90 % ms"
    print(f"\n| codec | noise dBFS | silence ≥ 5 s: {head} | hold ≥ 10 s: {head} |")
    print("| --- | --- |" + " --- |" * 8)
    rows = [(None, 8000, db, mono) for db in (None, -60, -50, -45, -40) for mono in (False, True)]
    rows += [(c, 8000, -50, False) for c in ("pcm_alaw", "pcm_mulaw", "libmp3lame", "libopus")]
    rows += [(c, 16000, -50, False) for c in (None, "libmp3lame", "libopus")]
    total = Figures()
    for codec, rate_hz, noise_db, mono in rows:
        result = figures(codec, rate_hz, noise_db, SWEEP, mono)
        name = f"{codec or 'pcm'} {rate_hz // 1000} kHz {'mono' if mono else 'stereo'}"
        print(
            f"| {name} | {noise_db} | {result.silence.cells()} | {result.hold.cells()} |",
            flush=True,
        )
        if noise_db != -40:
            total.merge(result)
    print(f"| all but -40 dBFS | | {total.silence.cells()} | {total.hold.cells()} |")
    total.check()
    assert total.silence.error_ms() <= 50
    assert total.hold.error_ms() <= 50
