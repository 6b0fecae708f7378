"""Where somebody, or something as loud and as lively as a voice, is heard on one channel.

webrtcvad decides frame by frame; an energy gate above the channel's own noise keeps out what
it takes for a voice in faint cross-talk and after the end of words. Music, busy tones and key
clicks count as activity here: `music` tells the sustained ones apart.
"""

from __future__ import annotations

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from speechlytics.activity.intervals import EMPTY, Spans, clip, drop, fill, from_mask, reached
from speechlytics.config import ActivityConfig

_FULL_SCALE = 32768.0
_FLOOR_DB = -120.0  # stands for the level of digital silence, whose logarithm is none


def find_sound(samples: NDArray[np.int16], rate_hz: int, config: ActivityConfig) -> Spans:
    """Voiced frames of one channel above its gate, in ms; `activity` joins them.

    The gate has a hysteresis, as word ends fade into the noise: what was let in stays until it
    falls below ``keep_above_noise_db``.

    Args:
        samples: int16, shape ``(n_samples,)``, C-contiguous.
        rate_hz: 8000 or 16000 (webrtcvad takes 32000 and 48000 too).
        config: Frame length, level and gate.
    """
    if not len(samples):
        return EMPTY
    framed = frames(samples, rate_hz * config.frame_ms // 1000)
    level_db = frame_level_db(framed)
    voiced = voiced_frames(framed, rate_hz, level_db, config)
    above_db = level_db - noise_db(level_db, voiced, config)
    loud = from_mask(voiced & (above_db > config.above_noise_db), config.frame_ms)
    kept = from_mask(voiced & (above_db > config.keep_above_noise_db), config.frame_ms)
    return clip(reached(kept, loud), 0, len(samples) * 1000 // rate_hz)


def activity(sound: Spans, config: ActivityConfig) -> Spans:
    """Sound with the short pauses of speech filled, and without clicks."""
    return drop(fill(sound, config.fill_gap_ms), config.drop_island_ms)


def frames(samples: NDArray[np.int16], frame_size: int) -> NDArray[np.int16]:
    """Samples as int16 frames of shape ``(n_frames, frame_size)``, the last padded with zeros."""
    whole = len(samples) // frame_size * frame_size
    if whole == len(samples):
        return samples.reshape(-1, frame_size)
    return np.pad(samples, (0, whole + frame_size - len(samples))).reshape(-1, frame_size)


def frame_level_db(framed: NDArray[np.int16]) -> NDArray[np.float32]:
    """RMS of each frame without its mean, dBFS, float32 of shape ``(n_frames,)``.

    The mean is taken off because A-law has no zero and cheap adapters add a constant: both
    would lift silence.
    """
    values = framed.astype(np.float32)
    size = framed.shape[1]
    # Not a matrix product: BLAS would start threads, and workers already fill the cores.
    mean = np.einsum("ij->i", values) / size
    power = np.einsum("ij,ij->i", values, values) / size - mean * mean
    floor = _FULL_SCALE**2 * 10 ** (_FLOOR_DB / 10)
    level: NDArray[np.float32] = 10 * np.log10(np.maximum(power, floor) / _FULL_SCALE**2)
    return level


def voiced_frames(
    framed: NDArray[np.int16],
    rate_hz: int,
    level_db: NDArray[np.float32],
    config: ActivityConfig,
) -> NDArray[np.bool_]:
    """Verdict of webrtcvad per frame, bool of shape ``(n_frames,)``.

    Frames of digital silence are not put to it: below its own energy threshold it answers no
    without learning anything from them.
    """
    is_speech = webrtcvad.Vad(config.vad_level).is_speech
    size = framed.shape[1]
    data = np.ascontiguousarray(framed).data.cast("B")
    width = 2 * size
    audible = np.flatnonzero(level_db > config.digital_silence_db)
    verdicts = [
        is_speech(data[at : at + width], rate_hz, size) for at in (audible * width).tolist()
    ]
    voiced = np.zeros(len(framed), dtype=np.bool_)
    voiced[audible] = verdicts
    return voiced


def noise_db(
    level_db: NDArray[np.float32], voiced: NDArray[np.bool_], config: ActivityConfig
) -> float:
    """Level of a channel's noise, dBFS: the ``noise_percentile`` of its frames.

    On a channel that talks or plays nearly all the time that percentile is quiet speech, so the
    median of the frames that are not voiced bounds it from above. Where every frame is voiced
    nothing is known about the noise. Digital silence counts as noise, of ``quietest_noise_db``.
    """
    if voiced.all():
        return config.quietest_noise_db
    percentile = float(np.percentile(level_db, config.noise_percentile))
    unvoiced = float(np.median(level_db[~voiced]))
    return max(min(percentile, unvoiced), config.quietest_noise_db)
