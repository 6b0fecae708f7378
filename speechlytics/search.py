"""Where words were said, in whatever form: by stem, over the postings of the store."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from speechlytics.errors import ConfigError
from speechlytics.phrases import stem_keys
from speechlytics.store import Store

if TYPE_CHECKING:
    import duckdb

FIRST_DAYS = 4
"""Newest days that are looked through first; then twice as many, until enough is found."""
_CHUNK = re.compile(r"\S+")
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")

Stems = frozenset[str]

PLACES = """
WITH wanted AS (SELECT unnest($1::VARCHAR[]) AS key, unnest($2::INTEGER[]) AS word),
hits AS MATERIALIZED (
    SELECT postings.call_date, postings.call_no, postings.segment_id
    FROM postings
    JOIN wanted USING (key)
    WHERE {days}
    GROUP BY ALL
    HAVING count(DISTINCT wanted.word) = $3
),
places AS MATERIALIZED (
    SELECT hits.call_date, postings.call_id, hits.segment_id
    FROM hits
    JOIN postings USING (call_date, call_no)
    WHERE {days} AND postings.key = '#'
)
SELECT call_date, call_id, segment_id, calls.started_local, calls.recording_uri
FROM places
JOIN calls USING (call_date, call_id)
WHERE {days} AND {by_role}
ORDER BY calls.started_at DESC, call_id, segment_id
"""
BY_ROLE = """(call_date, call_id, segment_id) IN (
    SELECT (call_date, call_id, segment_id) FROM segments WHERE {days} AND role = $4
)"""
# Only the calls that are shown: by their ids, few row groups of the long table are read.
SEGMENTS = """
SELECT call_id, segment_id, role, start_ms, end_ms, text, language
FROM segments WHERE call_date IN ({days}) AND call_id IN ({calls})
"""
SHOWN_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Moment:
    """A segment that holds a form of every word.

    Attributes:
        call_id: The call.
        started_local: Start of the call, wall-clock time.
        role: Who spoke.
        start_ms, end_ms: The segment, ms from the start of the recording.
        text: What was said.
        marks: Start and end of each found word in ``text``.
        recording_uri: Where to hear it.
    """

    call_id: str
    started_local: datetime | None
    role: str | None
    start_ms: int
    end_ms: int
    text: str
    marks: tuple[tuple[int, int], ...]
    recording_uri: str | None

    def marked(self, before: str = "**", after: str = "**") -> str:
        """The text with the found words between marks."""
        parts, at = [], 0
        for start, end in self.marks:
            parts += [self.text[at:start], before, self.text[start:end], after]
            at = end
        return "".join([*parts, self.text[at:]])


def search(
    store: Store,
    words: str,
    *,
    since: date | None = None,
    until: date | None = None,
    role: str | None = None,
    language: str | None = None,
    limit: int = 20,
) -> list[Moment]:
    """Find the segments in which each of the words was said in some form, newest calls first.

    Args:
        store: The store.
        words: One word or several, in any form and order.
        since: First call date, included.
        until: Last call date, included.
        role: Only what this role said.
        language: Only segments of this language; the words are then read as of this language.
        limit: At most so many.

    Raises:
        ConfigError: there is no word to search for.
        StoreError: there is no store.
    """
    stems = list(dict.fromkeys(stem_keys(words, language)))
    if not stems:
        raise ConfigError(f"{words!r} holds no word to search for")
    keys = [(key, number) for number, one in enumerate(stems) for key in sorted(one)]
    parameters = [[k for k, _ in keys], [n for _, n in keys], len(stems)]
    parameters += [] if role is None else [role]
    query = PLACES.replace("{by_role}", "true" if role is None else BY_ROLE)
    found: list[Moment] = []
    with store.connect() as connection:
        days = [d for d in store.days("postings") if (since or d) <= d <= (until or d)]
        for first, last in _newest_first(days):
            # Literal days: only those leave other days' files closed.
            between = f"call_date BETWEEN DATE '{first.isoformat()}' AND DATE '{last.isoformat()}'"
            places = connection.execute(query.replace("{days}", between), parameters).fetchall()
            # text is what costs: of no more places than are shown, unless some drop out
            wanted = SHOWN_AT_ONCE if language else limit - len(found)
            at_once = min(SHOWN_AT_ONCE, max(1, wanted))
            for at in range(0, len(places), at_once):
                moments = _moments(connection, places[at : at + at_once], stems, language)
                found += moments[: limit - len(found)]
                if len(found) >= limit:
                    return found
    return found


def unsearchable_days(
    store: Store, since: date | None = None, until: date | None = None
) -> list[date]:
    """Days with transcripts from before there were postings as they are today.

    ``rescore`` makes them searchable.
    """
    silent = set(store.days("segments")) - set(store.days("postings"))
    return sorted(day for day in silent if (since or day) <= day <= (until or day))


def _newest_first(days: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Ranges of days, newest first, each twice as long as the one before."""
    end, length = len(days), FIRST_DAYS
    while end > 0:
        start = max(0, end - length)
        yield days[start], days[end - 1]
        end, length = start, length * 2


def _moments(
    connection: duckdb.DuckDBPyConnection,
    places: Sequence[tuple[Any, ...]],
    stems: Sequence[Stems],
    language: str | None,
) -> list[Moment]:
    """What was said at these places, in their order."""
    days = ", ".join(sorted({f"DATE '{place[0].isoformat()}'" for place in places}))
    calls = ", ".join(sorted({_literal(place[1]) for place in places}))
    query = SEGMENTS.replace("{days}", days).replace("{calls}", calls)
    said = {(row[0], row[1]): row[2:] for row in connection.execute(query).fetchall()}
    every: Stems = frozenset().union(*stems)
    moments = []
    for _, call_id, segment_id, started_local, uri in places:
        role, start_ms, end_ms, text, spoken = said[call_id, segment_id]
        if language is not None and language not in (spoken or language).split("-"):
            continue
        marks = tuple(marks_in(text, every, spoken))
        moments.append(Moment(call_id, started_local, role, start_ms, end_ms, text, marks, uri))
    return moments


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def marks_in(text: str, wanted: Collection[str], language: str | None) -> Iterator[tuple[int, int]]:
    """Start and end of each word of ``text`` that has one of the stems."""
    for chunk in _CHUNK.finditer(text):
        if any(not keys.isdisjoint(wanted) for keys in stem_keys(chunk.group(), language)):
            inner = _EDGE.sub("", chunk.group())
            start = chunk.start() + chunk.group().index(inner)
            yield start, start + len(inner)
