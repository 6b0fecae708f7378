"""One call as the page shows it: turns, words, silences, reasons, the customer's other calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from speechlytics.review._catalog import Catalog, Row, literal
from speechlytics.review._masking import mask, mask_words
from speechlytics.review._media import screens_of, spread
from speechlytics.review._queue import Queues

OVERTALK_MIN_MS = 300
"""Shortest overlap that is drawn; the same that ``calls.overtalk_ms`` counts."""
KEPT_CALLS = 64
"""Judgements kept: page and waveform of a call ask for the same one."""


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
    screens: tuple[int, ...]

    @property
    def duration_ms(self) -> int:
        """Length, ms."""
        return self.end_ms - self.start_ms


@dataclass(frozen=True, slots=True)
class CallView:
    """Everything that the page of a call shows."""

    call: Row
    score: float | None
    unresolved: bool
    reasons: list[Row]
    turns: list[Turn]
    pauses: list[Pause]
    chain: list[Row]
    reviews: list[Row]
    topics: list[str]
    screens: Sequence[Row] = field(default_factory=list)

    @property
    def timeline(self) -> list[Turn | Pause]:
        """Turns and the silences worth a line, in order."""
        worth = [p for p in self.pauses if p.duration_ms >= 5000 or p.severity]
        return sorted([*self.turns, *worth], key=lambda item: (item.start_ms, item.end_ms))


@dataclass(frozen=True, slots=True)
class Judged:
    """What the views say about a call; changes only with a publication."""

    score: float | None
    unresolved: bool
    reasons: list[Row]
    alerts: list[Row]
    chain: list[Row]
    topics: list[str]


class Calls:
    """Finds calls and what belongs to them."""

    def __init__(self, catalog: Catalog, queues: Queues) -> None:
        self._catalog, self._queues = catalog, queues
        self._judged: OrderedDict[tuple[Any, ...], Judged] = OrderedDict()

    def row(self, call_id: str, hint: date | None = None) -> Row | None:
        """The row of ``calls``."""
        day = self._catalog.day_of(call_id, hint)
        if day is None:
            return None
        where = f"call_date = {literal(day)} AND call_id = ?"
        found = self._catalog.rows(f"SELECT * FROM calls WHERE {where}", [call_id])  # noqa: S608 - our names
        return found[0] if found else None

    def view(self, call_id: str, hint: date | None, *, masked: bool) -> CallView | None:
        """Everything about a call; ``None`` when the store does not know it."""
        call = self.row(call_id, hint)
        if call is None:
            return None
        day: date = call["call_date"]
        where = f"call_date = {literal(day)} AND call_id = ?"

        def own(table: str) -> list[Row]:
            order = "start_ms, end_ms"
            return self._catalog.rows(
                f"SELECT * FROM {table} WHERE {where} ORDER BY {order}",  # noqa: S608 - our names
                [call_id],
            )

        cover = mask if masked else _as_is
        hits = own("phrase_hits")
        judged = self._known(call_id, day)
        weights = {r["reason"]: r["weight"] for r in judged.reasons}
        return CallView(
            call=call,
            score=judged.score,
            unresolved=judged.unresolved,
            reasons=[{**r, "quote": cover(r["quote"] or "")} for r in judged.reasons],
            turns=[_turn(row, hits, weights, masked=masked) for row in own("segments")],
            pauses=_pauses(own("silences"), judged.alerts, screens_of(call)),
            chain=judged.chain,
            reviews=self._reviews(call_id, cover),
            topics=judged.topics,
            screens=screens_of(call),
        )

    def _reviews(self, call_id: str, cover: Callable[[str], str]) -> list[Row]:
        found = self._catalog.rows(
            "SELECT * FROM reviews WHERE call_id = ? ORDER BY reviewed_at DESC", [call_id]
        )
        for row in found:
            row["note"] = cover(row["note"] or "")
        return found

    def _known(self, call_id: str, day: date) -> Judged:
        """A call's judgement, kept for as long as nothing is published."""
        key = (self._catalog.state().calls_version, call_id)
        found = self._judged.get(key)
        if found is None:
            found = self._judged[key] = self._judge(call_id, day)
            while len(self._judged) > KEPT_CALLS:
                self._judged.popitem(last=False)
        return found

    def _judge(self, call_id: str, day: date) -> Judged:
        """Score, reasons, alerts and chain, over the customer's calls only."""
        lens = self._catalog.lens(day, day, ("unresolved_calls", "contact_chain", "call_topics"))
        try:
            lens.only_customer_of(call_id)
            since = f"since := '{day.isoformat()}'"
            scored = self._queues.known(call_id, day)
            if scored is None:
                found = lens.rows(
                    "SELECT *, (SELECT count(*) > 0 FROM unresolved_calls AS u"  # noqa: S608 - our names
                    f" WHERE u.call_id = s.call_id) AS unresolved"
                    f" FROM unresolved(min_score := -1000000, {since}) AS s WHERE call_id = ?",
                    [call_id],
                )
                scored = found[0] if found else None
            alerts = lens.rows(f"FROM long_silences({since}) WHERE call_id = ?", [call_id])
            chain = lens.rows(
                "SELECT c.*, calls.started_local, calls.queue, calls.duration_ms "
                "FROM contact_chain() AS c JOIN calls USING (call_id) "
                "WHERE c.customer_key = (SELECT any_value(customer_key) FROM calls"
                " WHERE call_id = ?) ORDER BY c.started_at",
                [call_id],
            )
            topics = lens.rows(
                "SELECT topic FROM call_topics WHERE call_id = ? ORDER BY main DESC, topic",
                [call_id],
            )
        finally:
            lens.close()
        return Judged(
            score=scored["score"] if scored else None,
            unresolved=bool(scored and scored["unresolved"]),
            reasons=list(scored["reasons"] or ()) if scored else [],
            alerts=alerts,
            chain=chain,
            topics=[row["topic"] for row in topics],
        )


def _as_is(text: str) -> str:
    return text


def _turn(row: Row, hits: list[Row], weights: dict[str, float], *, masked: bool) -> Turn:
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
        unsure=word["probability"] is not None and word["probability"] < 0.5,
        hit=category,
        sign="against" if weight < 0 else "for" if weight > 0 else "neutral",
    )


def _pauses(silences: list[Row], alerts: list[Row], screens: Sequence[Row]) -> list[Pause]:
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
                screens=around(screens, row["start_ms"], row["end_ms"]),
            )
        )
    return found


def around(screens: Sequence[Row], start_ms: int, end_ms: int) -> tuple[int, ...]:
    """Ordinals of the pictures shown during a span: the first, the last and some between."""
    inside = [
        number
        for number, shot in enumerate(screens)
        if shot["kind"] == "image" and shot["start_ms"] < end_ms and shot["end_ms"] > start_ms
    ]
    return spread(inside)


def overtalk(turns: Sequence[Turn]) -> list[tuple[int, int]]:
    """Where agent and customer speak at once, by their words."""
    agent, customer = (
        sorted((w.start_ms, w.end_ms) for t in turns if t.role == role for w in t.words)
        for role in ("agent", "customer")
    )
    both, i, j = [], 0, 0
    while i < len(agent) and j < len(customer):
        start, end = max(agent[i][0], customer[j][0]), min(agent[i][1], customer[j][1])
        if start < end:
            both.append((start, end))
        if agent[i][1] < customer[j][1]:
            i += 1
        else:
            j += 1
    joined: list[tuple[int, int]] = []
    for start, end in both:
        if joined and start - joined[-1][1] <= OVERTALK_MIN_MS:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return [(start, end) for start, end in joined if end - start >= OVERTALK_MIN_MS]


def regions(view: CallView) -> list[Row]:
    """What the waveform marks: silences, holds, overtalk and phrases, with their channel."""
    marks: list[Row] = [
        {
            "kind": "hold" if p.kind == "hold_music" or p.announced else "silence",
            "start_ms": p.start_ms,
            "end_ms": p.end_ms,
            "severity": p.severity,
        }
        for p in view.pauses
        if p.duration_ms >= 2000 or p.severity
    ]
    marks += [
        {"kind": "overtalk", "start_ms": start, "end_ms": end}
        for start, end in overtalk(view.turns)
    ]
    for turn in view.turns:
        marks += _hit_regions(turn)
    return marks


def _hit_regions(turn: Turn) -> list[Row]:
    found: list[Row] = []
    for word in turn.words:
        if word.hit is None:
            continue
        last = found[-1] if found else None
        if last and last["category"] == word.hit and word.start_ms - last["end_ms"] < 1000:
            last["end_ms"] = word.end_ms
        else:
            found.append(
                {
                    "kind": f"hit-{word.sign}",
                    "category": word.hit,
                    "channel": turn.channel,
                    "start_ms": word.start_ms,
                    "end_ms": word.end_ms,
                }
            )
    return found
