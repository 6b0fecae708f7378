"""The queue: which calls to hear, worst first, as filters in an address describe them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from speechlytics.review._catalog import Catalog, Row, rows
from speechlytics.review._cover import Cover
from speechlytics.review._filters import LANES, Filters, Lane
from speechlytics.review._ranking import Rankings
from speechlytics.review._sample import RandomRate, rate_of

PAGE_SIZE = 40
MAX_DAYS = 31
"""Longest period of one queue: its calls are kept in memory."""
VERDICTS = """
SELECT call_id, arg_max(verdict, reviewed_at) AS verdict, arg_max(reviewer, reviewed_at) AS reviewer
FROM reviews GROUP BY call_id
"""
SOURCE: dict[Lane, str] = {
    "unresolved": "(FROM ranked WHERE unresolved) AS ranked LEFT JOIN verdicts USING (call_id)",
    "alerts": "alerts LEFT JOIN verdicts USING (call_id)",
    "random": "drawn LEFT JOIN verdicts USING (call_id)",
}
ORDER: dict[Lane, str] = {
    "unresolved": "score DESC, call_id",
    "alerts": "harm DESC, duration_ms DESC, call_id, silence_id",
    "random": "draw, call_id",
}


@dataclass(frozen=True, slots=True)
class Choices:
    """Values that the filters offer, as they occur in the period."""

    queues: tuple[str, ...]
    teams: tuple[str, ...]
    agents: tuple[str, ...]
    reasons: tuple[str, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue."""

    filters: Filters
    rows: list[Row]
    total: int
    counts: dict[Lane, int]
    choices: Choices
    rate: RandomRate | None
    latest: date | None

    @property
    def before(self) -> int:
        """Rows on the pages before this one."""
        return PAGE_SIZE * (self.filters.page - 1)

    @property
    def pages(self) -> int:
        """Number of pages."""
        return max(1, -(-self.total // PAGE_SIZE))


class Queues:
    """Pages of the queue over rankings of periods."""

    def __init__(self, catalog: Catalog, rankings: Rankings) -> None:
        self._catalog, self._rankings = catalog, rankings

    def period(self, filters: Filters) -> Filters:
        """The filters with their days filled in: the latest day with calls unless they say."""
        first, last = filters.first, filters.last
        if first is None and last is None:
            first = last = self._catalog.latest_day() or date(1970, 1, 1)
        last = last or min(first + timedelta(days=MAX_DAYS - 1), date.max) if first else last
        assert last is not None
        first = min(first or last, last)
        return replace(filters, first=max(first, last - timedelta(days=MAX_DAYS - 1)), last=last)

    def page(self, filters: Filters, cover: Cover) -> QueuePage:
        """One page of the queue, worst first."""
        filters = self.period(filters)
        with self._asking(filters) as ask:
            choices = _choices(ask)
            wanted = _uncovered(filters, choices, cover)
            counts: dict[Lane, int] = {
                lane: ask.count(replace(wanted, lane=lane, reason=_reason(wanted, lane)))
                for lane in LANES
            }
            total = counts[filters.lane]
            last_page = max(1, -(-total // PAGE_SIZE))
            page = min(max(filters.page, 1), last_page)
            return QueuePage(
                filters=replace(filters, page=page),
                rows=ask.select(wanted, PAGE_SIZE, PAGE_SIZE * (page - 1)),
                total=total,
                counts=counts,
                choices=choices,
                rate=_rate(ask) if filters.lane == "random" else None,
                latest=self._catalog.latest_day(),
            )

    def next_after(self, filters: Filters, call_id: str, cover: Cover) -> Row | None:
        """The first call after this one in the same queue that nobody has reviewed."""
        filters = self.period(filters)
        with self._asking(filters) as ask:
            wanted = _uncovered(filters, _choices(ask), cover)
            where, parameters = _where(wanted)
            order = f"WHERE {where} ORDER BY {ORDER[wanted.lane]}"
            ids = f"SELECT call_id, verdict FROM {SOURCE[wanted.lane]} {order}"  # noqa: S608 - our names
            listed = ask.rows(ids, parameters)
            at = next((i for i, row in enumerate(listed) if row["call_id"] == call_id), -1)
            for number in range(at + 1, len(listed)):
                row = listed[number]
                if row["verdict"] is None and row["call_id"] != call_id:
                    return ask.select(wanted, 1, number)[0]
        return None

    @contextlib.contextmanager
    def _asking(self, filters: Filters) -> Iterator[_Ask]:
        """A period's ranking, with the verdicts of this moment beside it."""
        assert filters.first is not None
        assert filters.last is not None
        lens = self._rankings.of(filters.first, filters.last)
        with lens.cursor() as cursor:
            with self._catalog.state().cursor() as current:
                verdicts = current.sql(VERDICTS).to_arrow_table()
            cursor.register("verdicts", verdicts)
            yield _Ask(cursor)


class _Ask:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, query: str, parameters: list[Any]) -> list[Row]:
        return rows(self._cursor, query, parameters)

    def count(self, filters: Filters) -> int:
        where, parameters = _where(filters)
        query = f"SELECT count(*) AS n FROM {SOURCE[filters.lane]} WHERE {where}"  # noqa: S608 - our names
        return int(self.rows(query, parameters)[0]["n"])

    def select(self, filters: Filters, limit: int, offset: int) -> list[Row]:
        """Rows of a page; the reasons of its calls are looked up, not sorted along."""
        where, parameters = _where(filters)
        lane = filters.lane
        order = f"ORDER BY {ORDER[lane]} LIMIT {limit} OFFSET {offset}"
        found = self.rows(f"SELECT * FROM {SOURCE[lane]} WHERE {where} {order}", parameters)  # noqa: S608 - our names
        if lane != "alerts":
            ids = [row["call_id"] for row in found]
            reasons = self.rows(
                "SELECT call_id, reasons FROM scored WHERE call_id IN (SELECT unnest(?))", [ids]
            )
            by_id = {row["call_id"]: row["reasons"] for row in reasons}
            found = [{**row, "reasons": by_id[row["call_id"]]} for row in found]
        return found


def _reason(filters: Filters, lane: Lane) -> str:
    """Reasons belong to the lane of unresolved calls; severities to the alerts."""
    return filters.reason if lane == filters.lane else ""


def _uncovered(filters: Filters, choices: Choices, cover: Cover) -> Filters:
    """Filters with the values that an address holds under a handle."""
    return replace(
        filters,
        queue=cover.meant(filters.queue, choices.queues),
        team=cover.meant(filters.team, choices.teams),
        agent=cover.meant(filters.agent, choices.agents),
    )


def _where(filters: Filters) -> tuple[str, list[Any]]:
    clauses: list[str] = []
    parameters: list[Any] = []
    for column, value in (
        ("queue", filters.queue), ("team", filters.team),
        ("agent_id", filters.agent), ("language", filters.language),
    ):  # fmt: skip
        if value:
            clauses.append(f"{column} = ?")
            parameters.append(value)
    length = "call_ms" if filters.lane == "alerts" else "duration_ms"
    if filters.min_s is not None:
        clauses.append(f"{length} >= ?")
        parameters.append(1000 * filters.min_s)
    if filters.max_s is not None:
        clauses.append(f"{length} <= ?")
        parameters.append(1000 * filters.max_s)
    if filters.reason:
        by_alert = filters.lane == "alerts"
        clauses.append("severity = ?" if by_alert else "list_contains(reason_names, ?)")
        parameters.append(filters.reason)
    if filters.reviewed in {"yes", "no"}:
        clauses.append(f"verdict IS {'NOT ' if filters.reviewed == 'yes' else ''}NULL")
    elif filters.reviewed:
        clauses.append("verdict = ?")
        parameters.append(filters.reviewed)
    return " AND ".join(clauses) or "true", parameters


def _choices(ask: _Ask) -> Choices:
    row = ask.rows("FROM choices", [])[0]
    return Choices(
        **{name: tuple(sorted(v for v in values or () if v)) for name, values in row.items()}
    )


def _rate(ask: _Ask) -> RandomRate | None:
    row = ask.rows(
        "SELECT count(*) FILTER (verdict <> 'unclear') AS reviewed, "  # noqa: S608 - our names
        "count(*) FILTER (verdict = 'unresolved') AS unresolved "
        f"FROM {SOURCE['random']}",
        [],
    )[0]
    return rate_of(row["unresolved"], row["reviewed"])
