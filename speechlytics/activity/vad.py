"""Where somebody, or something as loud and as lively as a voice, is heard on one channel.

webrtcvad decides frame by frame; an energy gate above the channel's own noise keeps out what
it takes for a voice in faint cross-talk and after the end of words. Music, busy tones and key
clicks count as activity here: `music` tells the sustained ones apart.
"""

from __future__ import annotations

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from speechlytics.activity.intervals import Spans, clip, drop, fill, from_mask
from speechlytics.config import ActivityConfig

_FULL_SCALE = 32768.0
_FLOOR_DB = -120.0  # stands for the level of digital silence, whose logarithm is none


def activity(samples: NDArray[np.int16], rate_hz: int, config: ActivityConfig) -> Spans:
    """Activity of one channel in ms.

    Args:
        samples: int16, shape ``(n_samples,)``, C-contiguous.
        rate_hz: 8000, 16000, 32000 or 48000, as webrtcvad wants it.
        config: Frame length, level, gate, shortest gap and island.
    """
    frame_size = rate_hz * config.frame_ms // 1000
    framed = frames(samples, frame_size)
    if not len(framed):
        return from_mask(np.zeros(0, dtype=np.bool_))
    level_db = frame_level_db(framed)
    voiced = voiced_frames(framed, rate_hz, level_db, config)
    active = voiced & (level_db > gate_db(level_db, voiced, config))
    found = from_mask(active, config.frame_ms)
    found = drop(fill(found, config.fill_gap_ms), config.drop_island_ms)
    return clip(found, 0, len(samples) * 1000 // rate_hz)


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
    mean = values @ np.full(size, 1 / size, dtype=np.float32)
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


def gate_db(
    level_db: NDArray[np.float32], voiced: NDArray[np.bool_], config: ActivityConfig
) -> float:
    """Level in dBFS above which a voiced frame counts.

    The channel's noise is the ``noise_percentile`` of its frames. On a channel that talks or
    plays nearly all the time that percentile is quiet speech, so the median of the frames
    that are not voiced bounds it from above. Digital silence says nothing about a line's noise
    and is left out; a channel with nothing else is bounded by ``digital_silence_db``.
    """
    audible = level_db > config.digital_silence_db
    noise_db = config.digital_silence_db
    if audible.any():
        noise_db = float(np.percentile(level_db[audible], config.noise_percentile))
    quiet = audible & ~voiced
    if quiet.any():
        noise_db = min(noise_db, float(np.median(level_db[quiet])))
    return max(noise_db, config.quietest_noise_db) + config.above_noise_db
