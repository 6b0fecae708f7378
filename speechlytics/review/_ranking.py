"""Rankings: the calls of a period scored once, then paged and filtered as often as asked.

A ranking is a database in memory: ``ranked`` (what is sorted and filtered by), ``scored`` (the
reasons, read for the calls of one page), ``alerts``, ``drawn`` (the random sample) and
``choices`` (what the filters offer). It is made from the days
asked for; of the days around them only the calls of the same customers are looked at, because a
call may repeat an earlier one.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import date
from typing import Any

from speechlytics.review._catalog import Catalog, Lens, Row, literal
from speechlytics.review._sample import RANDOM_SAMPLE

KEPT_CALLS = 400_000
"""Calls of all rankings kept in memory: about 2 kB each."""
ANY_SCORE = -1_000_000
SETTLED = (
    # Links need the days around; nothing else does. So they are found first.
    "CREATE TABLE links AS SELECT * FROM contact_links() WHERE {between}",
    """CREATE OR REPLACE MACRO contact_links(window_days := 7, since := NULL) AS TABLE
       SELECT * FROM links""",
    "{narrow}",
    # Both the score and the alerts look at every silence: they are judged once.
    "CREATE TABLE judged_silences AS FROM long_silences()",
    """CREATE OR REPLACE MACRO long_silences(
           min_duration_s := 10, alert_s := 15, critical_s := 30, hold_music_s := 15,
           announced_hold_s := 60, context_s := 10, patience_s := 10, since := NULL
       ) AS TABLE SELECT * FROM judged_silences""",
    "CREATE TABLE scored AS FROM unresolved(min_score := {any_score})",
    # Views over unresolved() read what was scored, instead of scoring again.
    """CREATE OR REPLACE MACRO unresolved(min_score := 0, since := NULL, window_days := 7) AS TABLE
       SELECT * FROM scored WHERE score >= min_score""",
)
RANKED = """
CREATE TABLE ranked AS
SELECT
    calls.call_id, calls.call_date, calls.started_local, calls.queue, calls.team, calls.agent_id,
    calls.language, calls.duration_ms, scored.score, scored.repeat_confirmed,
    unresolved_calls.call_id IS NOT NULL AS unresolved,
    list_transform(scored.reasons, lambda entry: entry.reason) AS reason_names,
    main.topic,
    hash(calls.call_id) AS draw
FROM calls
JOIN scored USING (call_id)
LEFT JOIN (SELECT call_id FROM unresolved_calls) AS unresolved_calls USING (call_id)
LEFT JOIN (SELECT call_id, topic FROM call_topics WHERE main) AS main USING (call_id)
ORDER BY unresolved DESC, score DESC, call_id
"""
ALERTS = """
CREATE TABLE alerts AS
SELECT
    silence_alerts.* EXCLUDE (agent_id, recording_uri, screens),
    list_filter(
        list_transform(calls.screens, lambda shot, n: {
            'n': n - 1, 'kind': shot.kind, 'start_ms': shot.start_ms, 'end_ms': shot.end_ms
        }),
        lambda shot: shot.start_ms < silence_alerts.end_ms
            AND shot.end_ms > silence_alerts.start_ms
    ) AS screens,
    calls.started_local, calls.queue, calls.team, calls.agent_id, calls.language,
    calls.duration_ms AS call_ms
FROM silence_alerts
JOIN calls USING (call_id)
ORDER BY harm DESC, duration_ms DESC, call_id, silence_id
"""
DRAWN = f"CREATE TABLE drawn AS FROM ranked ORDER BY draw, call_id LIMIT {RANDOM_SAMPLE}"
CHOICES = """
CREATE TABLE choices AS
SELECT
    list(DISTINCT queue) AS queues, list(DISTINCT team) AS teams,
    list(DISTINCT agent_id) AS agents, list(DISTINCT language) AS languages,
    list_distinct(flatten(list(reason_names))) AS reasons
FROM ranked
"""
NAMES = ("unresolved_calls", "silence_alerts", "call_topics")
_Key = tuple[tuple[tuple[str, int], ...], date, date]


class Rankings:
    """Rankings of periods, each made once per publication of calls or rules."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._kept: OrderedDict[_Key, tuple[Lens, int]] = OrderedDict()
        self._making: dict[_Key, threading.Lock] = {}
        self._guard = threading.Lock()

    def of(self, first: date, last: date) -> Lens:
        """The ranking of a period."""
        key = (self._catalog.state().calls_version, first, last)
        with self._guard:
            making = self._making.setdefault(key, threading.Lock())
        with making:  # whoever wants the same period waits; others do not
            with self._guard:
                if key in self._kept:
                    self._kept.move_to_end(key)
                    return self._kept[key][0]
            lens = self._rank(first, last)
            calls = int(lens.rows("SELECT count(*) AS calls FROM ranked")[0]["calls"])
            with self._guard:
                self._kept[key] = (lens, calls)
                self._making.pop(key, None)
                self._evict(key)
        return lens

    def known(self, call_id: str, day: date) -> Row | None:
        """A call's score and reasons, if some period with its day was ranked already."""
        version = self._catalog.state().calls_version
        with self._guard:
            kept = [
                lens
                for (v, a, z), (lens, _) in self._kept.items()
                if v == version and a <= day <= z
            ]
        for lens in kept:
            found = lens.rows(
                "SELECT scored.*, ranked.unresolved FROM scored JOIN ranked USING (call_id) "
                "WHERE call_id = ?",
                [call_id],
            )
            if found:
                return found[0]
        return None

    def forget(self) -> None:
        """Let all rankings go."""
        with self._guard:
            self._kept.clear()

    def _evict(self, newest: _Key) -> None:
        for old in [key for key in self._kept if key[0] != newest[0]]:
            del self._kept[old]
        while len(self._kept) > 1 and sum(calls for _, calls in self._kept.values()) > KEPT_CALLS:
            self._kept.popitem(last=False)

    def _rank(self, first: date, last: date) -> Lens:
        lens = self._catalog.lens(first, last, NAMES)
        lens.only_customers_of_days()
        words: dict[str, Any] = {
            "between": f"call_date BETWEEN {literal(first)} AND {literal(last)}",
            "any_score": ANY_SCORE,
        }
        for statement in SETTLED:
            if statement == "{narrow}":
                lens.only_days_asked_for()
            else:
                lens.connection.execute(statement.format(**words))
        for statement in (RANKED, ALERTS, DRAWN, CHOICES):
            lens.connection.execute(statement)
        return lens
