"""What a telephone line does to speech, and what plays on it while nobody speaks.

All functions work on mono float32 samples in -1..1 at 8 kHz unless a rate is asked for.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

RATE_HZ = 8000
Samples = npt.NDArray[np.float32]

_FFT_GRID = 1600
_MU = 255.0
_A = 87.6
_CHORDS = ((0, 4, 7), (9, 12, 16), (5, 9, 12), (7, 11, 14), (2, 5, 9), (4, 7, 11))


def telephone_band(
    samples: Samples, low_hz: float = 300.0, high_hz: float = 3400.0, rate_hz: int = RATE_HZ
) -> Samples:
    """Passes the telephone band: third-order slope below `low_hz`, a steep one above `high_hz`."""
    count = len(samples)
    padded = -(-count // _FFT_GRID) * _FFT_GRID
    spectrum = np.fft.rfft(samples, padded)
    hz = np.maximum(np.fft.rfftfreq(padded, 1 / rate_hz), 1.0)
    gain = 1 / (1 + (low_hz / hz) ** 6) / (1 + (hz / high_hz) ** 24)
    return np.fft.irfft(spectrum * gain, padded)[:count].astype(np.float32)


def mu_law(samples: Samples) -> Samples:
    """G.711 µ-law there and back (continuous curve, 8 bits)."""
    level = np.minimum(np.abs(samples), 1.0)
    code = np.round(np.log1p(_MU * level) / np.log1p(_MU) * 127) / 127
    return (np.sign(samples) * np.expm1(code * np.log1p(_MU)) / _MU).astype(np.float32)


def a_law(samples: Samples) -> Samples:
    """G.711 A-law there and back (continuous curve, 8 bits)."""
    scale = 1 + np.log(_A)
    level = np.minimum(np.abs(samples), 1.0)
    small = level < 1 / _A
    code = np.where(small, _A * level, 1 + np.log(np.maximum(_A * level, 1.0))) / scale
    code = np.round(code * 127) / 127
    back = np.where(code < 1 / scale, code * scale / _A, np.exp(code * scale - 1) / _A)
    return (np.sign(samples) * back).astype(np.float32)


def noise(count: int, level_db: float, rng: np.random.Generator, slope: float = 0.5) -> Samples:
    """Line noise at `level_db` (RMS, dBFS); power falls with frequency to the power `2 * slope`."""
    if count <= 0:
        return np.zeros(0, np.float32)
    padded = -(-count // _FFT_GRID) * _FFT_GRID
    white = rng.standard_normal(padded)
    if slope:
        spectrum = np.fft.rfft(white)
        spectrum /= np.arange(1.0, len(spectrum) + 1) ** slope
        white = np.fft.irfft(spectrum, padded)
    shaped = white[:count]
    rms = float(np.sqrt(np.mean(shaped**2))) + 1e-12
    return (shaped / rms * 10 ** (level_db / 20)).astype(np.float32)


def hold_music(
    duration_s: float, rng: np.random.Generator, level_db: float = -20.0, rate_hz: int = RATE_HZ
) -> Samples:
    """A generated hold tune: bass, arpeggiated chords and a melody over a steady beat."""
    count = int(duration_s * rate_hz)
    mix = np.zeros(count + rate_hz)
    beat_s = 60 / rng.uniform(70, 130)
    root_hz = 110 * 2 ** (rng.integers(0, 12) / 12)
    brightness = rng.uniform(1.2, 2.2)
    decay = rng.uniform(1.5, 5.0)
    pattern = rng.permutation(3)
    beat = 0
    while beat * beat_s < duration_s:
        chord = _CHORDS[(beat // 4 + int(pattern[0])) % len(_CHORDS)]
        at_s = beat * beat_s
        if beat % 2 == 0:
            _note(mix, at_s, beat_s * 2, root_hz * 2 ** (chord[0] / 12), 0.5, 1.5, 2.0, rate_hz)
        for step in range(2):
            tone = chord[int(pattern[(beat * 2 + step) % 3])]
            pitch_hz = root_hz * 2 ** (1 + tone / 12)
            _note(mix, at_s + step * beat_s / 2, beat_s, pitch_hz, 0.35, decay, brightness, rate_hz)
        if rng.random() < 0.6:
            pitch_hz = root_hz * 2 ** (2 + chord[int(rng.integers(3))] / 12)
            length_s = beat_s * float(rng.choice([1, 1, 2]))
            _note(mix, at_s, length_s, pitch_hz, 0.45, decay / 2, brightness, rate_hz)
        beat += 1
    tune = mix[:count]
    rms = float(np.sqrt(np.mean(tune**2))) + 1e-12
    return np.clip(tune / rms * 10 ** (level_db / 20), -1, 1).astype(np.float32)


def _note(
    mix: npt.NDArray[np.float64],
    at_s: float,
    length_s: float,
    pitch_hz: float,
    gain: float,
    decay: float,
    brightness: float,
    rate_hz: int,
) -> None:
    begin = int(at_s * rate_hz)
    time_s = np.arange(max(0, min(int(length_s * rate_hz), len(mix) - begin))) / rate_hz
    attack = np.minimum(time_s / 0.01, 1.0)
    release = np.clip((length_s - time_s) / 0.03, 0, 1)
    tone = np.zeros(len(time_s))
    for harmonic in range(1, 6):
        if pitch_hz * harmonic < rate_hz / 2:
            tone += np.sin(2 * np.pi * pitch_hz * harmonic * time_s) / harmonic**brightness
    mix[begin : begin + len(time_s)] += gain * tone * attack * release * np.exp(-decay * time_s)


def signalling_tone(
    duration_s: float, rng: np.random.Generator, level_db: float = -20.0, rate_hz: int = RATE_HZ
) -> Samples:
    """Ring-back, busy tone (425 Hz) or key presses (DTMF)."""
    time_s = np.arange(int(duration_s * rate_hz)) / rate_hz
    kind = int(rng.integers(3))
    if kind == 2:
        low, high = rng.choice([697, 770, 852, 941]), rng.choice([1209, 1336, 1477])
        tone = np.sin(2 * np.pi * low * time_s) + np.sin(2 * np.pi * high * time_s)
        tone *= time_s % 0.4 < 0.15
    else:
        on_s, period_s = ((1.0, 4.0), (0.35, 0.7))[kind]
        tone = 1.4 * np.sin(2 * np.pi * 425 * time_s)
        tone *= (time_s + rng.uniform(0, period_s)) % period_s < on_s
    return np.clip(tone * 10 ** (level_db / 20), -1, 1).astype(np.float32)
