"""Dashboards: small multiples over a period, each with the SQL that anybody can run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

from markupsafe import Markup

from speechlytics.review._catalog import Catalog, Lens, literal
from speechlytics.review._charts import Kind, Series, draw
from speechlytics.review._cover import Cover
from speechlytics.review._i18n import N_, name_of, translations
from speechlytics.review._render import number, percent

MOST_BARS = 12
LONGEST_LABEL = 20
FACTS_ONCE = (
    "CREATE TABLE facts_once AS FROM call_facts",
    "CREATE OR REPLACE VIEW call_facts AS FROM facts_once",
)
"""Every chart adds up the same facts: they are found once."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A chart: labels in the first column of its query, series in the others."""

    section: str
    title: str
    kind: Kind
    unit: str
    query: str
    series: tuple[str, ...] = ("",)
    top: float | None = None


_DAILY = "FROM daily_kpis\nWHERE call_date BETWEEN {first} AND {last}\nORDER BY call_date"
_FACTS = "FROM call_facts\nWHERE call_date BETWEEN {first} AND {last}"
_HOURLY = f"{_FACTS} AND started_local IS NOT NULL\nGROUP BY hour\nORDER BY hour"
_BY_DAY, _BY_HOUR = N_("By day"), N_("By hour of day")
_BY_QUEUE, _BY_AGENT, _TOPICS = N_("By queue"), N_("By agent"), N_("Topics")
_UNRESOLVED, _LEVEL = N_("Unresolved share"), N_("Answered within 3 min")
_DEAD_AIR, _SENTIMENT = N_("Dead air, minutes"), N_("Sentiment")
_MINUTES = "sum(dead_air_ms) / 60000 AS dead_air_min"
SPECS = (
    Spec(_BY_DAY, _UNRESOLVED, "line", "share", f"SELECT call_date, unresolved_share\n{_DAILY}"),
    Spec(_BY_DAY, N_("First contact resolution"), "line", "share",
         f"SELECT call_date, fcr\n{_DAILY.replace('daily_kpis', 'fcr_by_day')}", top=1.0),
    Spec(_BY_DAY, _DEAD_AIR, "bar", "minutes",
         f"SELECT call_date, {_MINUTES}\n{_FACTS}\nGROUP BY call_date\nORDER BY call_date"),
    Spec(_BY_DAY, _LEVEL, "line", "share", f"SELECT call_date, service_level\n{_DAILY}", top=1.0),
    Spec(_BY_DAY, _SENTIMENT, "line", "share",
         f"SELECT call_date, negative_share, positive_share\n{_DAILY}",
         (N_("negative"), N_("positive"))),
    Spec(_BY_DAY, N_("Calls"), "bar", "count", f"SELECT call_date, calls\n{_DAILY}"),
    Spec(_BY_HOUR, _UNRESOLVED, "bar", "share",
         f"SELECT hour(started_local) AS hour, avg(unresolved::INT) AS share\n{_HOURLY}"),
    Spec(_BY_HOUR, _LEVEL, "line", "share",
         "SELECT hour(started_local) AS hour, service_level(answered, wait_ms) AS level\n"
         + _HOURLY,
         top=1.0),
    Spec(_BY_HOUR, N_("Calls"), "bar", "count",
         f"SELECT hour(started_local) AS hour, count(*) AS calls\n{_HOURLY}"),
    Spec(_BY_QUEUE, _UNRESOLVED, "across", "share",
         f"SELECT queue, avg(unresolved::INT) AS share\n{_FACTS} AND queue IS NOT NULL\n"
         "GROUP BY queue\nORDER BY share DESC NULLS LAST"),
    Spec(_BY_QUEUE, _DEAD_AIR, "across", "minutes",
         f"SELECT queue, {_MINUTES}\n{_FACTS} AND queue IS NOT NULL\n"
         "GROUP BY queue\nORDER BY dead_air_min DESC NULLS LAST"),
    Spec(_BY_QUEUE, _LEVEL, "across", "share",
         f"SELECT queue, service_level(answered, wait_ms) AS level\n{_FACTS} "
         "AND queue IS NOT NULL\nGROUP BY queue\nORDER BY level NULLS LAST", top=1.0),
    Spec(_BY_AGENT, _UNRESOLVED, "across", "share",
         f"SELECT agent_id, avg(unresolved::INT) AS share\n{_FACTS} AND agent_id IS NOT NULL\n"
         "GROUP BY agent_id\nORDER BY share DESC NULLS LAST"),
    Spec(_BY_AGENT, _DEAD_AIR, "across", "minutes",
         f"SELECT agent_id, {_MINUTES}\n{_FACTS} AND agent_id IS NOT NULL\n"
         "GROUP BY agent_id\nORDER BY dead_air_min DESC NULLS LAST"),
    Spec(_TOPICS, N_("Calls by main topic"), "across", "count",
         "SELECT topic, count(*) AS calls\nFROM call_topics\n"
         "WHERE main AND call_date BETWEEN {first} AND {last}\n"
         "GROUP BY topic\nORDER BY calls DESC"),
)  # fmt: skip
NEEDED = ("daily_kpis", "fcr_by_day", "call_facts", "call_topics", "service_level")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A chart ready to show; ``svg`` is ``None`` where the period has nothing to draw."""

    title: str
    svg: Markup | None
    query: str
    latest: str = "–"
    series: tuple[str, ...] = ()
    shown: int = 0
    more: int = 0


@dataclass(frozen=True, slots=True)
class Board:
    """All charts of a period by section."""

    first: date
    last: date
    sections: dict[str, list[Drawn]]

    @property
    def measured(self) -> bool:
        """Whether there is anything to draw."""
        return any(chart.svg for charts in self.sections.values() for chart in charts)


class Dashboards:
    """Boards, each made once per publication, period and language."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._boards: dict[tuple[Any, ...], Board] = {}
        self._lock = threading.Lock()

    def board(self, last: date | None, days: int, language: str, cover: Cover) -> Board:
        """The board of the days up to ``last``, or up to the latest day with calls."""
        if last is None:
            last = self._catalog.latest_day() or date(1970, 1, 1)
        key = (self._catalog.state().calls_version, last, days, language, cover.hidden)
        with self._lock:
            if key not in self._boards:
                if len(self._boards) > 20:
                    self._boards.clear()
                self._boards[key] = self._make(last, days, language, cover)
            return self._boards[key]

    def _make(self, last: date, days: int, language: str, cover: Cover) -> Board:
        first = last - timedelta(days=days - 1)
        lens = self._catalog.lens(first, last, NEEDED)
        try:
            for statement in FACTS_ONCE:
                lens.connection.execute(statement)
            sections: dict[str, list[Drawn]] = {}
            gettext = translations(language).gettext
            for spec in SPECS:
                drawn = _drawn(lens, spec, first, last, language, cover)
                sections.setdefault(gettext(spec.section), []).append(drawn)
        finally:
            lens.close()
        return Board(first, last, sections)


def _drawn(lens: Lens, spec: Spec, first: date, last: date, language: str, cover: Cover) -> Drawn:
    gettext = translations(language).gettext
    query = spec.query.format(first=literal(first), last=literal(last))
    with lens.cursor() as cursor:
        rows: list[tuple[Any, ...]] = cursor.execute(query).fetchall()
    found = len(rows)
    if spec.kind == "across":
        rows = rows[:MOST_BARS]
    elif spec.section == _BY_DAY:
        rows = _every_day(rows, first, last, spec)
    title = gettext(spec.title)
    names = tuple(gettext(name) for name in spec.series if name)
    series = [
        Series(names[i] if names else "", [_value(row[i + 1]) for row in rows])
        for i in range(len(spec.series))
    ]
    known = [v for v in series[0].values if v is not None]
    if not found or not known:
        return Drawn(title, None, query)
    write = _writer(spec.unit, language)
    labels = [_label(row[0], language, cover) for row in rows]
    svg = draw(spec.kind, labels, series, title, write, top=_top(spec, series))
    return Drawn(
        title,
        Markup(svg),  # noqa: S704 - escaped by ElementTree
        query,
        latest=write(known[-1]) if spec.section == _BY_DAY and len(series) == 1 else "",
        series=names,
        shown=len(rows),
        more=found if found > len(rows) and spec.kind == "across" else 0,
    )


def _every_day(
    rows: list[tuple[Any, ...]], first: date, last: date, spec: Spec
) -> list[tuple[Any, ...]]:
    """Rows of all days: a day without calls is a gap in a line, and an empty place for a bar."""
    known = {row[0]: row for row in rows}
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    nothing = (None,) * len(spec.series)
    return [known.get(day, (day, *nothing)) for day in days]


def _top(spec: Spec, series: list[Series]) -> float | None:
    """End of the axis: no share is above one."""
    highest = max((v for one in series for v in one.values if v is not None), default=0.0)
    return 1.0 if spec.unit == "share" and highest > 0.8 else spec.top


def _value(value: Any) -> float | None:
    return None if value is None else float(value)


def _label(value: Any, language: str, cover: Cover) -> str:
    if isinstance(value, date):
        return f"{value:%d.%m}"
    if isinstance(value, int):
        return f"{value:02d}"
    text = name_of(cover.name(str(value)), language)
    return text if len(text) <= LONGEST_LABEL else text[: LONGEST_LABEL - 1] + "…"


def _writer(unit: str, language: str) -> Callable[[float], str]:
    if unit == "share":
        return partial(percent, language=language)
    if unit == "count":
        # an axis may be marked between whole numbers: nothing is there
        return lambda value: number(value, 0, language) if value == int(value) else ""
    return partial(number, digits=1, language=language)
