"""Samples in and out of FFmpeg's frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import av


def resample(samples: NDArray[np.int16], rate_hz: int, to_hz: int) -> NDArray[np.int16]:
    """Resample int16 ``(channels, n)`` with FFmpeg's resampler, row by row."""
    import av

    rows = []
    for row in samples:
        frame = av.AudioFrame.from_ndarray(row[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(format="s16", layout="mono", rate=to_hz)
        parts = [*resampler.resample(frame), *resampler.resample(None)]
        rows.append(np.concatenate([part.to_ndarray()[0] for part in parts]))
    return np.stack(rows)


def finite(frame: av.AudioFrame) -> av.AudioFrame:
    """The frame, with NaN and infinite samples turned into silence."""
    import av

    if not frame.format.name.startswith(("flt", "dbl")):
        return frame
    values: NDArray[Any] = frame.to_ndarray()
    if np.isfinite(values).all():
        return frame
    values = np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0)
    clean = av.AudioFrame.from_ndarray(values, format=frame.format.name, layout=frame.layout.name)
    clean.sample_rate = frame.sample_rate
    clean.pts = frame.pts
    clean.time_base = frame.time_base
    return clean
