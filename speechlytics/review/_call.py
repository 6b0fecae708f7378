"""One call as the page shows it: turns, words, silences, reasons, the customer's other calls."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from speechlytics.review._catalog import Catalog, Row, literal
from speechlytics.review._cover import Cover
from speechlytics.review._ranking import ANY_SCORE, Rankings
from speechlytics.review._shots import shots_of
from speechlytics.review._turns import Pause, Turn, pauses, turn

KEPT_CALLS = 64
"""Judgements kept: page and waveform of a call ask for the same one."""
SHOWN_PAUSE_MS = 5000
"""Shortest silence that stands as a line of its own in the transcript."""


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
    def hours_since_previous(self) -> float | None:
        """How long before this call its customer called about the same."""
        own = [c for c in self.chain if c["call_id"] == self.call["call_id"]]
        return own[0]["hours_since_previous"] if own else None

    @property
    def timeline(self) -> list[Turn | Pause]:
        """Turns and the silences worth a line, in order."""
        worth = [p for p in self.pauses if p.duration_ms >= SHOWN_PAUSE_MS or p.severity]
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

    def __init__(self, catalog: Catalog, rankings: Rankings) -> None:
        self._catalog, self._rankings = catalog, rankings
        self._judged: OrderedDict[tuple[Any, ...], Judged] = OrderedDict()

    def row(self, call_id: str, hint: date | None = None) -> Row | None:
        """The row of ``calls``."""
        day = self._catalog.day_of(call_id, hint)
        if day is None:
            return None
        where = f"call_date = {literal(day)} AND call_id = ?"
        found = self._catalog.rows(f"SELECT * FROM calls WHERE {where}", [call_id])  # noqa: S608 - our names
        return found[0] if found else None

    def view(self, call_id: str, hint: date | None, cover: Cover) -> CallView | None:
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

        hits = own("phrase_hits")
        judged, shots = self._known(call_id, day), shots_of(call)
        weights = {r["reason"]: r["weight"] for r in judged.reasons}
        return CallView(
            call=call,
            score=judged.score,
            unresolved=judged.unresolved,
            reasons=[_quoted(reason, cover) for reason in judged.reasons],
            turns=[turn(row, hits, weights, masked=cover.hidden) for row in own("segments")],
            pauses=pauses(own("silences"), judged.alerts, shots),
            chain=judged.chain,
            reviews=self._reviews(call_id, cover),
            topics=judged.topics,
            screens=shots,
        )

    def _reviews(self, call_id: str, cover: Cover) -> list[Row]:
        found = self._catalog.rows(
            "SELECT * FROM reviews WHERE call_id = ? ORDER BY reviewed_at DESC", [call_id]
        )
        for row in found:
            row["note"] = cover(row["note"])
        return found

    def _known(self, call_id: str, day: date) -> Judged:
        """A call's judgement, kept for as long as nothing is published."""
        key = (self._catalog.state().calls_version, call_id)
        found = self._judged.get(key)
        if found is None:
            found = self._judged[key] = self._judge(call_id, day)
            for old in [k for k in self._judged if k[0] != key[0]]:
                self._judged.pop(old, None)
            while len(self._judged) > KEPT_CALLS:
                self._judged.popitem(last=False)
        return found

    def _judge(self, call_id: str, day: date) -> Judged:
        """Score, reasons, alerts and chain, over the customer's calls only."""
        lens = self._catalog.lens(day, day, ("unresolved_calls", "contact_chain", "call_topics"))
        try:
            lens.only_customer_of(call_id)
            since = f"since := '{day.isoformat()}'"
            scored = self._rankings.known(call_id, day)
            if scored is None:
                found = lens.rows(
                    "SELECT *, (SELECT count(*) > 0 FROM unresolved_calls AS u"  # noqa: S608 - our names
                    f" WHERE u.call_id = s.call_id) AS unresolved"
                    f" FROM unresolved(min_score := {ANY_SCORE}, {since}) AS s WHERE call_id = ?",
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


def _quoted(reason: Row, cover: Cover) -> Row:
    """A reason with its words as they may be shown; ids of other calls are left to the chain."""
    quote = None if reason["reason"] == "repeat_contact" else reason["quote"]
    return {**reason, "quote": cover(quote)}
