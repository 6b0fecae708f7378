"""Where somebody, or something as loud and as lively as a voice, is heard on one channel.

webrtcvad decides frame by frame; an energy gate above the channel's own noise keeps out what
it takes for a voice in faint cross-talk and after the end of words. Music, busy tones and key
clicks count as activity here: `music` tells the sustained ones apart.
"""

from __future__ import annotations

import numpy as np
import webrtcvad
from numpy.typing import NDArray

from speechlytics.activity.intervals import (
    EMPTY,
    Spans,
    clip,
    drop,
    fill,
    from_mask,
    reached,
    spans,
    subtract,
    to_mask,
    union,
    widen,
)
from speechlytics.config import ActivityConfig

_FULL_SCALE = 32768.0
_BLOCK_FRAMES = 256  # stay in the core's cache
_EDGE_MS = 2000  # changes 0.1 % of the active frames in noise, none on a quiet line
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
    size = framed.shape[1]
    power = np.empty(len(framed), np.float32)
    for start in range(0, len(framed), _BLOCK_FRAMES):
        values = framed[start : start + _BLOCK_FRAMES].astype(np.float32)
        # Not a matrix product: BLAS would start threads, and workers already fill the cores.
        mean = np.einsum("ij->i", values) / size
        mean_square = np.einsum("ij,ij->i", values, values) / size
        power[start : start + _BLOCK_FRAMES] = mean_square - mean * mean
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
    without learning anything from them. Nor is the middle of a long stretch that never rises
    above the gate: the gate keeps it out anyway, and its first and last ``_EDGE_MS`` show what
    the noise is like. Where those sound like a voice (a faint tune, say), or so little is left
    unvoiced that the percentile may be quiet speech, every frame is judged.
    """
    audible = level_db > config.digital_silence_db
    edge = _EDGE_MS // config.frame_ms
    middles = _middles(level_db, edge, config)
    skipped = to_mask(middles, len(framed))
    voiced = _verdicts(framed, rate_hz, audible & ~skipped, config)
    if len(middles) and _needs_all(voiced, middles, edge):
        return _verdicts(framed, rate_hz, audible, config)
    return voiced


def _middles(level_db: NDArray[np.float32], edge: int, config: ActivityConfig) -> Spans:
    """Stretches of frames further than ``edge`` from any that a gate at the percentile lets in."""
    noise = max(float(np.percentile(level_db, config.noise_percentile)), config.quietest_noise_db)
    loud = from_mask(level_db > noise + config.above_noise_db)
    count = len(level_db)
    near = widen(union(loud, spans((-1, 0), (count, count + 1))), edge)
    return subtract(spans((0, count)), near)


def _needs_all(voiced: NDArray[np.bool_], middles: Spans, edge: int) -> bool:
    heard = np.concatenate(([0], np.cumsum(voiced)))
    first, last = middles[:, 0], middles[:, 1]
    at_edges = heard[first] - heard[first - edge] + heard[last + edge] - heard[last]
    # With a fifth unvoiced, `noise_db` is the percentile that the middles were found with.
    return bool((at_edges > edge).any() or heard[-1] > 0.8 * len(voiced))


def _verdicts(
    framed: NDArray[np.int16], rate_hz: int, wanted: NDArray[np.bool_], config: ActivityConfig
) -> NDArray[np.bool_]:
    """What webrtcvad says of the wanted frames in their order; ``False`` elsewhere."""
    is_speech = webrtcvad.Vad(config.vad_level).is_speech
    size = framed.shape[1]
    data = np.ascontiguousarray(framed).data.cast("B")
    width = 2 * size
    at_byte = (np.flatnonzero(wanted) * width).tolist()
    voiced = np.zeros(len(framed), dtype=np.bool_)
    voiced[wanted] = [is_speech(data[at : at + width], rate_hz, size) for at in at_byte]
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
