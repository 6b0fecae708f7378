"""The queue: which calls to hear, worst first, as filters in an address describe them."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from math import sqrt
from typing import Any, Literal
from urllib.parse import urlencode

from speechlytics.review._catalog import Catalog, Lens, Row, literal

PAGE_SIZE = 40
RANDOM_SAMPLE = 20
"""Calls drawn at random for a period; the same ones for everybody."""
MAX_DAYS = 31
"""Longest period of one queue: reasons of its calls are kept in memory."""
KEPT_RANKINGS = 6
FIRST_YEAR, LAST_YEAR = 1970, 2200
Lane = Literal["unresolved", "alerts", "random"]
LANES: tuple[Lane, ...] = ("unresolved", "alerts", "random")
REVIEWED = ("", "no", "yes", "unresolved", "resolved", "unclear")
WILSON_Z = 1.96
"""95 % (Wilson score interval)."""

RANKED = """
CREATE TABLE ranked AS
SELECT
    calls.call_id, calls.call_date, calls.started_local, calls.queue, calls.team, calls.agent_id,
    calls.language, calls.duration_ms, calls.status, calls.transcript_source,
    scored.score, scored.reasons, scored.repeat_confirmed,
    unresolved_calls.call_id IS NOT NULL AS unresolved,
    list_transform(scored.reasons, lambda entry: entry.reason) AS reason_names,
    main.topic,
    hash(calls.call_id) AS draw
FROM calls
JOIN scored USING (call_id)
LEFT JOIN (SELECT call_id FROM unresolved_calls) AS unresolved_calls USING (call_id)
LEFT JOIN (SELECT call_id, topic FROM call_topics WHERE main) AS main USING (call_id)
WHERE calls.call_date BETWEEN {first} AND {last}
"""
ALERTS = """
CREATE TABLE alerts AS
SELECT
    silence_alerts.* EXCLUDE (agent_id, recording_uri, screens),
    list_filter(range(len(calls.screens)), lambda n:
        calls.screens[n + 1].kind = 'image'
        AND calls.screens[n + 1].start_ms < silence_alerts.end_ms
        AND calls.screens[n + 1].end_ms > silence_alerts.start_ms) AS screens,
    calls.started_local, calls.queue, calls.team, calls.agent_id, calls.language,
    calls.duration_ms AS call_ms
FROM silence_alerts
JOIN calls USING (call_id)
WHERE silence_alerts.call_date BETWEEN {first} AND {last}
"""
SCORED_ONCE = """
CREATE OR REPLACE MACRO unresolved(min_score := 0, since := NULL, window_days := 7) AS TABLE
SELECT * FROM scored WHERE score >= min_score
"""
"""Views over ``unresolved()`` read what was scored, instead of scoring again."""
ANY_SCORE = -1_000_000
VERDICTS = """
SELECT call_id, arg_max(verdict, reviewed_at) AS verdict, arg_max(reviewer, reviewed_at) AS reviewer
FROM reviews GROUP BY call_id
"""


@dataclass(frozen=True, slots=True)
class Filters:
    """What the address of a queue says; empty text means "any"."""

    lane: Lane = "unresolved"
    first: date | None = None
    last: date | None = None
    queue: str = ""
    team: str = ""
    agent: str = ""
    reason: str = ""
    language: str = ""
    min_s: int | None = None
    max_s: int | None = None
    reviewed: str = ""
    page: int = 1

    def query(self, **changes: Any) -> str:
        """The address's query of these filters with some changed; defaults are left out."""
        changed = replace(self, **changes)
        default = Filters()
        values = {f.name: getattr(changed, f.name) for f in fields(changed)}
        return urlencode(
            {
                name: value.isoformat() if isinstance(value, date) else value
                for name, value in values.items()
                if value is not None and value != getattr(default, name)
            }
        )


def parse(given: Mapping[str, str]) -> Filters:
    """Filters of a request; what makes no sense is as if it were not there."""
    wanted = given.get("lane")
    return Filters(
        lane=next((lane for lane in LANES if lane == wanted), "unresolved"),
        first=parse_day(given.get("first")),
        last=parse_day(given.get("last")),
        reviewed=given["reviewed"] if given.get("reviewed") in REVIEWED else "",
        min_s=_number(given.get("min_s")),
        max_s=_number(given.get("max_s")),
        page=_number(given.get("page")) or 1,
        **{n: given.get(n, "")[:200] for n in ("queue", "team", "agent", "reason", "language")},
    )


def parse_day(text: str | None) -> date | None:
    """An ISO date of our times, or nothing: days are added to it and taken from it."""
    try:
        found = date.fromisoformat(text or "")
    except ValueError:
        return None
    return found if FIRST_YEAR <= found.year <= LAST_YEAR else None


def _number(text: str | None) -> int | None:
    if text and text.isascii() and text.isdecimal() and len(text) <= 6:
        return int(text)
    return None


@dataclass(frozen=True, slots=True)
class Choices:
    """Values that the filters offer, as they occur in the period."""

    queues: tuple[str, ...]
    teams: tuple[str, ...]
    agents: tuple[str, ...]
    reasons: tuple[str, ...]
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RandomRate:
    """What a random sample says about the whole: share and its 95 % interval."""

    reviewed: int
    unresolved: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class QueuePage:
    """One page of the queue."""

    filters: Filters
    rows: list[Row]
    total: int
    counts: dict[Lane, int]
    choices: Choices
    rate: RandomRate | None

    @property
    def before(self) -> int:
        """Rows on the pages before this one."""
        return PAGE_SIZE * (self.filters.page - 1)

    @property
    def pages(self) -> int:
        """Number of pages."""
        return max(1, -(-self.total // PAGE_SIZE))


class Queues:
    """Rankings of periods, each made once per publication of calls or rules."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._rankings: OrderedDict[tuple[Any, ...], Lens] = OrderedDict()
        self._lock = threading.Lock()

    def period(self, filters: Filters) -> Filters:
        """The filters with their days filled in: the latest day with calls unless they say."""
        first, last = filters.first, filters.last
        if first is None and last is None:
            latest = self._catalog.rows("SELECT max(call_date) AS day FROM calls")[0]["day"]
            first = last = latest or date(1970, 1, 1)
        last = last or min(first + timedelta(days=MAX_DAYS - 1), date.max) if first else last
        assert last is not None
        first = min(first or last, last)
        return replace(filters, first=max(first, last - timedelta(days=MAX_DAYS - 1)), last=last)

    def ranking(self, first: date, last: date) -> Lens:
        """The lens of a period with its tables ``ranked`` and ``alerts``."""
        key = (self._catalog.state().calls_version, first, last)
        with self._lock:
            if key not in self._rankings:
                for old in [k for k in self._rankings if k[0] != key[0]]:
                    del self._rankings[old]
                self._rankings[key] = self._rank(first, last)
                while len(self._rankings) > KEPT_RANKINGS:
                    self._rankings.popitem(last=False)
            self._rankings.move_to_end(key)
            return self._rankings[key]

    def known(self, call_id: str, day: date) -> Row | None:
        """A call's ranked row, if some period with its day was ranked already."""
        version = self._catalog.state().calls_version
        for (known, first, last), lens in list(self._rankings.items()):
            if known == version and first <= day <= last:
                found = lens.rows("SELECT * FROM ranked WHERE call_id = ?", [call_id])
                return found[0] if found else None
        return None

    def _rank(self, first: date, last: date) -> Lens:
        lens = self._catalog.lens(
            first, last, ("unresolved_calls", "silence_alerts", "call_topics")
        )
        days = {"first": literal(first), "last": literal(last)}
        since = f"'{first.isoformat()}'"
        lens.connection.execute(
            f"CREATE TABLE scored AS FROM unresolved(min_score := {ANY_SCORE}, since := {since})"
        )
        lens.connection.execute(SCORED_ONCE)
        lens.connection.execute(RANKED.format(**days))
        lens.connection.execute(ALERTS.format(**days))
        return lens

    def page(self, filters: Filters) -> QueuePage:
        """One page of the queue, worst first."""
        filters = self.period(filters)
        with self._asking(filters) as ask:
            counts = {
                lane: ask.one(*_count(replace(filters, lane=lane, reason=_reason(filters, lane))))
                for lane in LANES
            }
            total = counts[filters.lane]
            last_page = max(1, -(-total // PAGE_SIZE))
            filters = replace(filters, page=min(max(filters.page, 1), last_page))
            return QueuePage(
                filters=filters,
                rows=ask.rows(*_select(filters)),
                total=total,
                counts=counts,
                choices=_choices(ask),
                rate=_rate(ask) if filters.lane == "random" else None,
            )

    def next_after(self, filters: Filters, call_id: str) -> Row | None:
        """The first call after this one in the same queue that nobody has reviewed."""
        filters = self.period(filters)
        with self._asking(filters) as ask:
            where, parameters = _where(filters)
            order = f"WHERE {where} ORDER BY {ORDER[filters.lane]}"
            ids = f"SELECT call_id, verdict FROM {_source(filters)} {order}"  # noqa: S608 - our names
            listed = ask.rows(ids, parameters)
            at = next((i for i, row in enumerate(listed) if row["call_id"] == call_id), -1)
            for number in range(at + 1, len(listed)):
                row = listed[number]
                if row["verdict"] is None and row["call_id"] != call_id:
                    one = f"SELECT * FROM {_source(filters)} {order} LIMIT 1 OFFSET {number}"  # noqa: S608 - our names
                    return ask.rows(one, parameters)[0]
        return None

    @contextlib.contextmanager
    def _asking(self, filters: Filters) -> Iterator[_Ask]:
        """A period's ranking, with the verdicts of this moment beside it."""
        assert filters.first is not None
        assert filters.last is not None
        lens = self.ranking(filters.first, filters.last)
        with lens.cursor() as cursor:
            with self._catalog.state().cursor() as current:
                verdicts = current.sql(VERDICTS).to_arrow_table()
            cursor.register("verdicts", verdicts)
            yield _Ask(cursor)


class _Ask:
    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def rows(self, query: str, parameters: list[Any]) -> list[Row]:
        from speechlytics.review._catalog import rows

        return rows(self._cursor, query, parameters)

    def one(self, query: str, parameters: list[Any]) -> int:
        return int(self._cursor.execute(query, parameters).fetchone()[0])


def _reason(filters: Filters, lane: Lane) -> str:
    """Reasons belong to the lane of unresolved calls; severities to the alerts."""
    return filters.reason if lane == filters.lane else ""


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


def _source(filters: Filters) -> str:
    if filters.lane == "alerts":
        return "alerts LEFT JOIN verdicts USING (call_id)"
    if filters.lane == "random":
        drawn = f"FROM ranked ORDER BY draw, call_id LIMIT {RANDOM_SAMPLE}"
        return f"({drawn}) AS ranked LEFT JOIN verdicts USING (call_id)"
    return "(FROM ranked WHERE unresolved) AS ranked LEFT JOIN verdicts USING (call_id)"


ORDER = {
    "unresolved": "score DESC, call_id",
    "alerts": "harm DESC, duration_ms DESC, call_id, silence_id",
    "random": "draw, call_id",
}


def _count(filters: Filters) -> tuple[str, list[Any]]:
    where, parameters = _where(filters)
    return f"SELECT count(*) FROM {_source(filters)} WHERE {where}", parameters  # noqa: S608 - our names


def _select(filters: Filters) -> tuple[str, list[Any]]:
    where, parameters = _where(filters)
    limit = f"LIMIT {PAGE_SIZE} OFFSET {PAGE_SIZE * (filters.page - 1)}"
    order = f"ORDER BY {ORDER[filters.lane]}"
    return f"SELECT * FROM {_source(filters)} WHERE {where} {order} {limit}", parameters  # noqa: S608 - our names


def _choices(ask: _Ask) -> Choices:
    row = ask.rows(
        "SELECT list(DISTINCT queue) AS queues, list(DISTINCT team) AS teams, "
        "list(DISTINCT agent_id) AS agents, list(DISTINCT language) AS languages, "
        "list_distinct(flatten(list(reason_names))) AS reasons FROM ranked",
        [],
    )[0]
    return Choices(
        **{name: tuple(sorted(v for v in values or () if v)) for name, values in row.items()}
    )


def _rate(ask: _Ask) -> RandomRate | None:
    drawn = f"FROM ranked ORDER BY draw, call_id LIMIT {RANDOM_SAMPLE}"
    row = ask.rows(
        "SELECT count(*) FILTER (verdict <> 'unclear') AS reviewed, "  # noqa: S608 - our names
        "count(*) FILTER (verdict = 'unresolved') AS unresolved "
        f"FROM ({drawn}) AS ranked LEFT JOIN verdicts USING (call_id)",
        [],
    )[0]
    reviewed, unresolved = row["reviewed"], row["unresolved"]
    return (
        None if not reviewed else RandomRate(reviewed, unresolved, *_wilson(unresolved, reviewed))
    )


def _wilson(hits: int, trials: int) -> tuple[float, float, float]:
    """Share with the bounds of Wilson's score interval."""
    share, z2 = hits / trials, WILSON_Z**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    reach = WILSON_Z * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return share, max(0.0, middle - reach), min(1.0, middle + reach)
