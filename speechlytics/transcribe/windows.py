"""Speech of one channel, packed into windows of the model's length, with an exact way back.

Silence and music never reach the model: stretches of speech of the SAME channel are laid end to
end, each with a little of its own surroundings, so that the seams lie in real room noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from speechlytics.config import TranscribeConfig
from speechlytics.records import CallActivity, ChannelActivity, Interval, Role, Waveform
from speechlytics.transcribe.features import HOP_MS, log_mel

_SMOOTHING_FRAMES = 10  # 100 ms: longer than a pitch period, shorter than a pause


@dataclass(frozen=True, slots=True)
class WindowShape:
    """What a model wants to be fed.

    Attributes:
        n_mels: Rows of the log-mel features.
        window_s: Longest packed speech in one window.
        encoder_s: Ascending lengths to which windows are filled up before encoding.
    """

    n_mels: int
    window_s: float
    encoder_s: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the recording inside a window.

    ``[offset_ms, offset_ms + duration)`` of the window is ``[start_ms, end_ms)`` of the
    recording; speech proper is ``[speech_start_ms, speech_end_ms)``, the rest is padding.
    """

    offset_ms: int
    start_ms: int
    end_ms: int
    speech_start_ms: int
    speech_end_ms: int

    @property
    def duration_ms(self) -> int:
        """Length including padding."""
        return self.end_ms - self.start_ms

    def to_recording(self, window_ms: int) -> int:
        """Time in the recording of a time in the window, held inside this piece."""
        return min(max(self.start_ms + window_ms - self.offset_ms, self.start_ms), self.end_ms)


@dataclass(frozen=True, slots=True)
class TimeMap:
    """The way between a window's clock and the recording's; pieces are in order of time."""

    pieces: tuple[Piece, ...]

    @property
    def duration_ms(self) -> int:
        """Length of the window."""
        last = self.pieces[-1]
        return last.offset_ms + last.duration_ms

    def piece_at(self, window_ms: int) -> Piece:
        """The piece that holds a window time; times outside belong to the nearest piece."""
        found = self.pieces[0]
        for piece in self.pieces:
            if piece.offset_ms > window_ms:
                break
            found = piece
        return found

    def piece_of(self, start_ms: int, end_ms: int) -> Piece:
        """The piece whose speech shares most of a stretch, else the one at its middle."""

        def shared_ms(piece: Piece) -> int:
            shift = piece.offset_ms - piece.start_ms
            start = max(start_ms, piece.speech_start_ms + shift)
            return min(end_ms, piece.speech_end_ms + shift) - start

        best = max(self.pieces, key=shared_ms)
        return best if shared_ms(best) > 0 else self.piece_at((start_ms + end_ms) // 2)

    def to_recording(self, window_ms: int) -> int:
        """Time in the recording of a time in the window."""
        return self.piece_at(window_ms).to_recording(window_ms)

    def to_window(self, recording_ms: int) -> int | None:
        """Time in the window of a time in the recording; ``None`` where it was left out."""
        for piece in self.pieces:
            if piece.start_ms <= recording_ms < piece.end_ms:
                return piece.offset_ms + recording_ms - piece.start_ms
        return None


@dataclass(frozen=True, slots=True)
class Window:
    """One piece of work for the speech model.

    Attributes:
        call_id: Call it belongs to; windows of many calls are decoded together.
        channel: Channel of the recording.
        role: Who speaks there.
        index: Ordinal among the windows of this call and channel.
        features: Log-mel, float32, shape ``(n_mels, n_frames)``, 10 ms a frame.
        times: Way back to the recording.
        language: Language, if known beforehand (ISO 639-1).
    """

    call_id: str
    channel: int
    role: Role
    index: int
    features: NDArray[np.float32]
    times: TimeMap
    language: str | None = None

    @property
    def duration_ms(self) -> int:
        """Length of the packed audio."""
        return self.times.duration_ms


def prepare_windows(
    waveform: Waveform,
    activity: CallActivity,
    *,
    call_id: str,
    config: TranscribeConfig,
    shape: WindowShape,
    language: str | None = None,
) -> tuple[Window, ...]:
    """Pack all speech of a call into windows, channel by channel, in order of time.

    Loads no speech library: meant for worker processes.
    """
    max_ms = round(shape.window_s * 1000)
    windows: list[Window] = []
    for channel in activity.channels:
        samples = waveform.samples[channel.channel]
        windows += [
            Window(
                call_id=call_id,
                channel=channel.channel,
                role=channel.role,
                index=index,
                features=log_mel(
                    _cut(samples, waveform.rate_hz, times), waveform.rate_hz, shape.n_mels
                ),
                times=times,
                language=language,
            )
            for index, times in enumerate(
                pack_channel(samples, waveform.rate_hz, channel, config.pad_ms, max_ms)
            )
        ]
    return tuple(windows)


def pack_channel(
    samples: NDArray[np.int16],
    rate_hz: int,
    channel: ChannelActivity,
    pad_ms: int,
    max_ms: int,
) -> list[TimeMap]:
    """Time maps of the windows that hold all speech of a channel.

    As few windows as possible, of lengths as equal as possible: a short last window is heard
    badly (measured: telephone accuracy collapses below 3.5 s).
    """
    duration_ms = len(samples) * 1000 // rate_hz
    cores: list[Interval] = []
    for island in channel.speech:
        start_ms, end_ms = max(island.start_ms, 0), min(island.end_ms, duration_ms)
        if end_ms > start_ms:
            longest_ms = max(max_ms - 2 * pad_ms, max_ms // 2)
            cores += _split(Interval(start_ms, end_ms), samples, rate_hz, longest_ms)
    padded = _pad(cores, pad_ms, duration_ms)
    maps: list[TimeMap] = []
    for first, last in _partition([p.duration_ms for p in padded], max_ms):
        pieces, offset_ms = [], 0
        for core, interval in zip(cores[first:last], padded[first:last], strict=True):
            pieces.append(
                Piece(offset_ms, interval.start_ms, interval.end_ms, core.start_ms, core.end_ms)
            )
            offset_ms += interval.duration_ms
        maps.append(TimeMap(tuple(pieces)))
    return maps


def _pad(cores: list[Interval], pad_ms: int, duration_ms: int) -> list[Interval]:
    """Widen by ``pad_ms``, at most to the middle between neighbours and to the recording's ends."""
    starts = [core.start_ms for core in cores]
    ends = [core.end_ms for core in cores]
    before = starts[:1] + [(s - e) // 2 for s, e in zip(starts[1:], ends, strict=False)]
    after = [*before[1:], duration_ms - ends[-1]] if cores else []
    return [
        Interval(core.start_ms - min(pad_ms, left), core.end_ms + min(pad_ms, right))
        for core, left, right in zip(cores, before, after, strict=True)
    ]


def _split(
    island: Interval, samples: NDArray[np.int16], rate_hz: int, max_ms: int
) -> list[Interval]:
    """Cut an island that does not fit at its quietest spots."""
    if island.duration_ms <= max_ms:
        return [island]
    hop = rate_hz * HOP_MS // 1000
    part = samples[island.start_ms * rate_hz // 1000 : island.end_ms * rate_hz // 1000]
    frames = part[: len(part) // hop * hop].reshape(-1, hop).astype(np.float32)
    loudness = np.convolve(np.square(frames).mean(axis=1), np.ones(_SMOOTHING_FRAMES), "same")
    cuts, rest_ms, at_ms = [], island.duration_ms, 0
    while rest_ms > max_ms:
        # Leave no rest that would be too short to be heard well.
        high_ms = min(max_ms, rest_ms - max_ms // 4)
        low, high = (at_ms + max_ms // 2) // HOP_MS, (at_ms + high_ms) // HOP_MS
        at_ms = (low + int(np.argmin(loudness[low:high]))) * HOP_MS
        cuts.append(island.start_ms + at_ms)
        rest_ms = island.duration_ms - at_ms
    edges = [island.start_ms, *cuts, island.end_ms]
    return [Interval(start, end) for start, end in pairwise(edges)]


def _partition(lengths_ms: list[int], max_ms: int) -> list[tuple[int, int]]:
    """Consecutive groups, none longer than ``max_ms``: fewest first, then most equal.

    Dynamic programme over (number of groups, sum of squared lengths).
    """
    best: list[tuple[int, int]] = [(0, 0)]
    origin = [0]
    for last in range(1, len(lengths_ms) + 1):
        total, first = 0, last
        candidates: list[tuple[tuple[int, int], int]] = []
        while first > 0 and (first == last or total + lengths_ms[first - 1] <= max_ms):
            first -= 1
            total += lengths_ms[first]
            count, squares = best[first]
            candidates.append(((count + 1, squares + total * total), first))
        cost, start = min(candidates)
        best.append(cost)
        origin.append(start)
    groups: list[tuple[int, int]] = []
    last = len(lengths_ms)
    while last > 0:
        groups.append((origin[last], last))
        last = origin[last]
    return groups[::-1]


def _cut(samples: NDArray[np.int16], rate_hz: int, times: TimeMap) -> NDArray[np.int16]:
    per_ms = rate_hz // 1000
    return np.concatenate(
        [samples[piece.start_ms * per_ms : piece.end_ms * per_ms] for piece in times.pieces]
    )
