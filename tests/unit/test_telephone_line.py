"""The generated telephone line: levels, band, codecs and hold music."""

from __future__ import annotations

import numpy as np
import pytest

from models.training import line

RATE_HZ = line.RATE_HZ


def tone(hz: float, level: float = 0.5, seconds: float = 1.0) -> np.ndarray:
    time_s = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (level * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)


def level_db(samples: np.ndarray) -> float:
    return float(10 * np.log10(np.mean(samples.astype(float) ** 2)))


@pytest.mark.parametrize(("hz", "least_db", "most_db"), [(100, -90, -25), (1000, -0.1, 0.1)])
def test_the_band_passes_speech_and_stops_hum(hz: float, least_db: float, most_db: float) -> None:
    heard = line.telephone_band(tone(hz))
    assert least_db < level_db(heard) - level_db(tone(hz)) < most_db


def test_the_band_stops_what_lies_above_it() -> None:
    assert level_db(line.telephone_band(tone(3900))) < level_db(tone(3900)) - 20


@pytest.mark.parametrize("codec", [line.mu_law, line.a_law])
@pytest.mark.parametrize("level", [0.9, 0.1, 0.01])
def test_codecs_keep_g711s_distance_to_the_signal(codec, level: float) -> None:
    clean = tone(440, level)
    distance_db = level_db(clean) - level_db(codec(clean) - clean)
    assert distance_db > 28


@pytest.mark.parametrize("slope", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("wanted_db", [-60.0, -35.0])
def test_noise_has_the_level_that_was_asked_for(slope: float, wanted_db: float) -> None:
    heard = line.noise(12_345, wanted_db, np.random.default_rng(1), slope)
    assert len(heard) == 12_345
    assert level_db(heard) == pytest.approx(wanted_db, abs=0.01)


def test_hold_music_follows_its_seed_and_level_and_does_not_clip() -> None:
    one, again, other = (line.hold_music(5, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)
    assert len(one) == 5 * RATE_HZ
    assert level_db(one) == pytest.approx(-20, abs=0.5)
    assert np.abs(one).max() < 1


def test_hold_music_never_falls_silent() -> None:
    tune = line.hold_music(20, np.random.default_rng(5))
    seconds = tune.reshape(20, RATE_HZ)
    assert min(level_db(second) for second in seconds) > -35


def test_line_tones_have_the_length_that_was_asked_for() -> None:
    for seed in range(6):
        assert len(line.signalling_tone(3, np.random.default_rng(seed))) == 3 * RATE_HZ
