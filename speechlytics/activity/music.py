"""Which part of a channel's activity is hold music.

webrtcvad takes music for speech (97–100 % of its frames), so sustained sound is put to Silero,
which hardly ever hears a voice in music. Silero never vetoes speech frame by frame: on a real
reverberant caller it missed a third of the speech. Only ``music_run_ms`` of sound in which it
hears nobody at all are music.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechlytics.activity.intervals import (
    EMPTY,
    Spans,
    clip,
    drop,
    fill,
    from_mask,
    intersect,
    spans,
    subtract,
    union,
    widen,
)
from speechlytics.activity.silero import WINDOW_MS, speech_probability
from speechlytics.config import ActivityConfig

# Listening in: a stretch of `music_run_ms` without a voice contains a whole probe if probes
# start no further apart than `music_run_ms - _PROBE_MS`.
_PROBE_MS = 32 * WINDOW_MS
_WARM_UP_MS = 16 * WINDOW_MS  # the model starts without memory and needs to find its feet


def find_music(
    active: Spans, samples: NDArray[np.int16], rate_hz: int, config: ActivityConfig
) -> Spans:
    """Hold music of one channel in ms; what of ``active`` lies outside is speech.

    Args:
        active: The channel's activity, ms.
        samples: int16 of the whole channel, shape ``(n_samples,)``.
        rate_hz: 8000 or 16000.
        config: The ``music_*`` knobs.

    Raises:
        ModelMissing: there is sustained sound, and Silero's file is not installed.
    """
    judge = _Judge(samples, rate_hz, config)
    runs = drop(fill(active, config.music_fill_gap_ms), config.music_run_ms)
    found = [
        _music_between(low, high, active, judge)
        for start, end in runs.tolist()
        for low, high in _doubtful(start, end, judge).tolist()
    ]
    return union(*found) if found else EMPTY


@dataclass(frozen=True, slots=True)
class _Judge:
    """Silero over one channel."""

    samples: NDArray[np.int16]
    rate_hz: int
    config: ActivityConfig

    def voices(self, start: int, end: int) -> Spans:
        """Where a voice is heard within ``[start, end)`` for long enough to be one, ms."""
        begin = max(0, start - _WARM_UP_MS)
        probability = speech_probability(self.samples, self.rate_hz, begin, end)
        heard = from_mask(probability > self.config.music_judge_probability, WINDOW_MS) + begin
        bursts = fill(heard, self.config.music_judge_reach_ms)
        return clip(drop(bursts, self.config.music_judge_burst_ms), start, end)


def _doubtful(start: int, end: int, judge: _Judge) -> Spans:
    """Parts of the run ``[start, end)`` that may hold music, found by listening in.

    Talk is the usual case, and a voice in every probe proves that no part is long enough to be
    music. What lies around probes without one is doubtful, up to the nearest probes with one
    and including those, so that the border is heard.
    """
    spacing = max(_PROBE_MS, judge.config.music_run_ms - _PROBE_MS)
    count = 1 + -(-max(0, end - start - _PROBE_MS) // spacing)
    starts = np.linspace(start, max(start, end - _PROBE_MS), count).astype(np.int64)
    ends = np.minimum(starts + _PROBE_MS, end)
    blank = np.array(
        [
            not len(judge.voices(low, high))
            for low, high in zip(starts.tolist(), ends.tolist(), strict=True)
        ]
    )
    groups = from_mask(blank)
    before, after = np.maximum(groups[:, 0] - 1, 0), np.minimum(groups[:, 1], count - 1)
    return union(np.stack((starts[before], ends[after]), axis=1))


def _music_between(low: int, high: int, active: Spans, judge: _Judge) -> Spans:
    """Music within ``[low, high)`` of a run: sound long enough and out of reach of any voice."""
    voices = judge.voices(low, high)
    free = subtract(spans((low, high)), widen(voices, judge.config.music_judge_reach_ms))
    found = []
    for start, end in free.tolist():
        core = clip(active, start, end)
        if len(core) and core[-1, 1] - core[0, 0] >= judge.config.music_run_ms:
            found.append(
                _to_borders(int(core[0, 0]), int(core[-1, 1]), voices, active, judge.config)
            )
    return spans(*found)


def _to_borders(
    start: int, end: int, voices: Spans, active: Spans, config: ActivityConfig
) -> tuple[int, int]:
    """Music that was found clear of voices, grown to where it really starts and ends.

    Within reach of a voice the border is the last pause between the two, or the edge of the
    voice where the music joins it without a pause.
    """
    reach = config.music_judge_reach_ms
    before = _sound(start - reach, start, voices, active)
    after = _sound(end, end + reach, voices, active)
    if len(before) and before[-1, 1] == start:
        start = int(before[-1, 0])
    if len(after) and after[0, 0] == end:
        end = int(after[0, 1])
    return start, end


def _sound(start: int, end: int, voices: Spans, active: Spans) -> Spans:
    """Activity within ``[start, end)`` that is no voice."""
    return intersect(subtract(spans((start, end)), voices), active)
