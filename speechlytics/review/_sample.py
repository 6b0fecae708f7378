"""What the random lane says about all calls: a share and its interval."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

RANDOM_SAMPLE = 20
"""Calls drawn at random for a period; the same ones for everybody."""
WILSON_Z = 1.96
"""95 % (Wilson score interval)."""


@dataclass(frozen=True, slots=True)
class RandomRate:
    """What a random sample says about the whole: share and its 95 % interval."""

    reviewed: int
    unresolved: int
    share: float
    low: float
    high: float


def rate_of(unresolved: int, reviewed: int) -> RandomRate | None:
    """The rate of a sample; ``None`` while nobody has reviewed any of it."""
    return (
        RandomRate(unresolved=unresolved, reviewed=reviewed, **_wilson(unresolved, reviewed))
        if (reviewed)
        else None
    )


def _wilson(hits: int, trials: int) -> dict[str, float]:
    """Share with the bounds of Wilson's score interval."""
    share, z2 = hits / trials, WILSON_Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = WILSON_Z * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return {"share": share, "low": max(0.0, middle - reach), "high": min(1.0, middle + reach)}
