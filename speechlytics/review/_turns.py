"""A call's transcript as the page shows it: turns of clickable words, and the silences between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from speechlytics.review._catalog import Row
from speechlytics.review._masking import mask, mask_words
from speechlytics.review._shots import Thumb, around

UNSURE = 0.5
"""Words that the recogniser gives less probability than this are shown as such."""


@dataclass(frozen=True, slots=True)
class ShownWord:
    """A word with its time and what is known about it; ``hit`` is a phrase category."""

    text: str
    start_ms: int
    end_ms: int
    unsure: bool
    hit: str | None
    sign: str


@dataclass(frozen=True, slots=True)
class Turn:
    """What somebody said without a longer pause."""

    role: str
    channel: int | None
    start_ms: int
    end_ms: int
    words: tuple[ShownWord, ...]
    text: str
    suspect: str | None


@dataclass(frozen=True, slots=True)
class Pause:
    """A silence between turns, as the transcript shows it."""

    start_ms: int
    end_ms: int
    kind: str
    position: str
    announced: bool | None
    after_question: bool | None
    waited_in_vain: bool
    severity: str | None
    harm: float | None
    screens: tuple[Thumb, ...]

    @property
    def duration_ms(self) -> int:
        """Length, ms."""
        return self.end_ms - self.start_ms


def turn(row: Row, hits: list[Row], weights: dict[str, float], *, masked: bool) -> Turn:
    """A row of ``segments``, with the phrase hits of its call and the weights of their kinds."""
    words = row["words"] or []
    texts = [word["word"] for word in words]
    shown = mask_words(texts) if masked else [text.strip() for text in texts]
    own = [
        hit
        for hit in hits
        if hit["role"] == row["role"]
        and hit["start_ms"] < row["end_ms"]
        and hit["end_ms"] > row["start_ms"]
    ]
    return Turn(
        role=row["role"] or "unknown",
        channel=row["channel"],
        start_ms=row["start_ms"],
        end_ms=row["end_ms"],
        words=tuple(_word(w, text, own, weights) for w, text in zip(words, shown, strict=True)),
        text=mask(row["text"]) if masked else row["text"],
        suspect=row["suspect"],
    )


def _word(word: Row, text: str, hits: list[Row], weights: dict[str, float]) -> ShownWord:
    middle = (word["start_ms"] + word["end_ms"]) // 2
    inside = [hit for hit in hits if hit["start_ms"] <= middle < hit["end_ms"]]
    category = max(
        (hit["category"] for hit in inside),
        key=lambda name: abs(weights.get(name, 0.0)),
        default=None,
    )
    weight = weights.get(category or "", 0.0)
    return ShownWord(
        text=text,
        start_ms=word["start_ms"],
        end_ms=word["end_ms"],
        unsure=word["probability"] is not None and word["probability"] < UNSURE,
        hit=category,
        sign="against" if weight < 0 else "for" if weight > 0 else "neutral",
    )


def pauses(silences: list[Row], alerts: list[Row], shots: Sequence[Row]) -> list[Pause]:
    """Rows of ``silences`` with what the alerts say of them and what the screen showed."""
    by_id = {alert["silence_id"]: alert for alert in alerts}
    found = []
    for row in silences:
        alert = by_id.get(row["silence_id"], {})
        found.append(
            Pause(
                start_ms=row["start_ms"],
                end_ms=row["end_ms"],
                kind=row["kind"],
                position=row["position"],
                announced=row["announced"],
                after_question=row["after_question"],
                waited_in_vain=bool(alert.get("waited_in_vain")),
                severity=alert.get("severity"),
                harm=alert.get("harm"),
                screens=around(shots, row["start_ms"], row["end_ms"]),
            )
        )
    return found
