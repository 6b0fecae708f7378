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
    spans,
    subtract,
    union,
    widen,
)
from speechlytics.activity.silero import WINDOW_MS, speech_probability
from speechlytics.config import ActivityConfig

# A probe is as short as tells a voice from music; talk shows it within a few.
_PROBE_MS = 25 * WINDOW_MS
_PROBE_SPACING_MS = 2000
_PROBE_TRIES = 3
_BEFORE_ONSET_MS = 2 * WINDOW_MS


def find_music(
    active: Spans,
    sound: Spans,
    samples: NDArray[np.int16],
    rate_hz: int,
    config: ActivityConfig,
) -> Spans:
    """Hold music of one channel in ms; what of ``active`` lies outside is speech.

    Args:
        active: The channel's activity, ms.
        sound: The same before short pauses were filled, ms: music that speech follows at once
            ends in such a pause.
        samples: int16 of the whole channel, shape ``(n_samples,)``.
        rate_hz: 8000 or 16000.
        config: The ``music_*`` knobs.

    Raises:
        ModelMissing: there is sustained sound, and Silero's file is not installed.
    """
    judge = _Judge(samples, rate_hz, config)
    runs = drop(fill(active, config.music_fill_gap_ms), config.music_run_ms)
    found = [
        _music_between(low, high, active, sound, judge)
        for start, end in runs.tolist()
        for low, high in _doubtful(start, end, active, judge).tolist()
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
        probability = speech_probability(self.samples, self.rate_hz, start, end)
        heard = from_mask(probability > self.config.music_judge_probability, WINDOW_MS) + start
        bursts = fill(heard, self.config.music_judge_reach_ms)
        return clip(drop(bursts, self.config.music_judge_burst_ms), start, end)

    def hears(self, at: int) -> bool:
        """Whether a voice is heard in a probe that starts at ``at``."""
        return len(self.voices(at, at + _PROBE_MS)) > 0


def _doubtful(start: int, end: int, active: Spans, judge: _Judge) -> Spans:
    """Parts of the run ``[start, end)`` that may hold music, found by listening in.

    Talk is the usual case, and a voice every ``music_run_ms`` proves that no part is long
    enough to be music. What lies between two voices further apart, or unheard, is doubtful;
    it includes the probes that heard them, so that the border is looked at.
    """
    need = judge.config.music_run_ms
    points = _probe_points(clip(active, start, end))
    doubtful = []
    last = start
    while end - last >= need:
        within = points[(points >= last) & (points + _PROBE_MS <= last + need)]
        tries = within[::-1][:_PROBE_TRIES].tolist()
        heard = next((at for at in tries if judge.hears(at)), None)
        if heard is None:
            later = points[points + _PROBE_MS > last + need].tolist()
            heard = next((at for at in later if judge.hears(at)), end)
            doubtful.append((max(start, last - _PROBE_MS), min(end, heard + _PROBE_MS)))
        last = heard + _PROBE_MS
    return spans(*doubtful)


def _probe_points(active: Spans) -> NDArray[np.int64]:
    """Where to listen in: where sound sets in after a pause, and now and then if it goes on."""
    points = [
        np.arange(max(0, start - _BEFORE_ONSET_MS), end - _PROBE_MS // 2, _PROBE_SPACING_MS)
        for start, end in active.tolist()
    ]
    return np.concatenate(points)


def _music_between(low: int, high: int, active: Spans, sound: Spans, judge: _Judge) -> Spans:
    """Music within ``[low, high)`` of a run: sound long enough and out of reach of any voice."""
    reach = judge.config.music_judge_reach_ms
    voices = judge.voices(low, high)
    found = []
    for start, end in subtract(spans((low, high)), widen(voices, reach)).tolist():
        core = clip(active, start, end)
        if not len(core) or core[-1, 1] - core[0, 0] < judge.config.music_run_ms:
            continue
        first, last = int(core[0, 0]), int(core[-1, 1])
        after_voice = subtract(clip(sound, first - reach, first), voices)
        before_voice = subtract(clip(sound, last, last + reach), voices)
        found.append((_first_sound(first, after_voice), _last_sound(last, before_voice)))
    return spans(*found)


def _first_sound(core: int, pieces: Spans) -> int:
    """Where music starts: back to the last pause after the voice, or to the voice itself."""
    return int(pieces[-1, 0]) if len(pieces) and pieces[-1, 1] == core else core


def _last_sound(core: int, pieces: Spans) -> int:
    """Where music ends: at the last pause before the voice, or at the voice itself.

    After music Silero takes about 0.3 s to hear that somebody speaks, so the piece of sound
    that leads up to the voice belongs to the voice if a pause parts it from the music.
    """
    if not len(pieces) or pieces[0, 0] != core:
        return core
    return int(pieces[max(0, len(pieces) - 2), 1])
