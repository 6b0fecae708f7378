"""What speechlytics said about the labelled calls: the shipped SQL over a copy of their rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speechlytics.records import CallAnalysis, Interval, Role
from speechlytics.schema import TABLES

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SETTLING = ("thanks_resolved", "resolution_confirmed")
_ROWS = ("calls", "segments", "silences", "phrase_hits")


@dataclass(frozen=True, slots=True)
class Fired:
    """A phrase hit."""

    rule_id: str
    category: str
    role: Role
    span: Interval


@dataclass(frozen=True, slots=True)
class Heard:
    """A transcribed segment."""

    role: Role
    span: Interval
    text: str


@dataclass(frozen=True, slots=True)
class Stood:
    """A silence, with the harm that SQL gives it."""

    span: Interval
    kind: str
    announced: bool | None
    harm: float


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that was found about one call.

    ``score_without_thanks`` is the score as if nobody had ever been heard to confirm a
    resolution: the ranking must not hang on that one cue.
    """

    fired: tuple[Fired, ...]
    heard: tuple[Heard, ...]
    stood: tuple[Stood, ...]
    score: float | None
    score_without_thanks: float | None
    cut: bool
    cut_without_thanks: bool
    repeats: bool
    main_topic: str | None
    known_topics: frozenset[str]


def tables_of(analyses: Sequence[CallAnalysis]) -> dict[str, pa.Table]:
    """Rows of analyses that were never stored."""
    from speechlytics.store import tables_from

    return dict(tables_from(analyses, "evaluate"))


def tables_from_store(
    connection: duckdb.DuckDBPyConnection, call_ids: Sequence[str]
) -> dict[str, pa.Table]:
    """Rows of the labelled calls, and the rules, out of an open catalog."""
    rows = {
        name: connection.sql(
            f"SELECT * FROM {name} WHERE list_contains($ids, call_id)",  # noqa: S608 - our names
            params={"ids": list(call_ids)},
        ).to_arrow_table()
        for name in _ROWS
    }
    return {**rows, "rules": connection.sql("FROM rules").to_arrow_table()}


def observe(tables: Mapping[str, pa.Table]) -> dict[str, Observed]:
    """Run the shipped views over rows and collect what they say, by call.

    Args:
        tables: ``calls``, ``segments``, ``silences``, ``phrase_hits`` and, where packs set
            weights of their own, ``rules``; columns as in ``schema.py``.
    """
    with _catalog(tables) as con:
        scores = _scores(con)
        fired = _by_call(con, "rule_id, category, role, start_ms, end_ms FROM phrase_hits")
        heard = _by_call(
            con, "role, start_ms, end_ms, text FROM segments ORDER BY call_id, start_ms"
        )
        stood = _by_call(
            con,
            "start_ms, end_ms, kind, announced, harm FROM long_silences(min_duration_s := 1)",
        )
        repeats = _by_call(con, "1 FROM repeat_contacts")
        topics = _by_call(con, "topic FROM call_topics WHERE main")
        known = frozenset(
            row[0] for row in con.execute("SELECT topic FROM contact_topics").fetchall()
        )
        ids = [row[0] for row in con.execute("SELECT call_id FROM calls").fetchall()]
        con.execute(
            "DELETE FROM phrase_hits WHERE list_contains($settling, category)",
            {"settling": list(SETTLING)},
        )
        without = _scores(con)
    return {
        call_id: Observed(
            fired=tuple(Fired(r, c, o, Interval(s, e)) for r, c, o, s, e in fired.get(call_id, ())),
            heard=tuple(Heard(r, Interval(s, e), t) for r, s, e, t in heard.get(call_id, ())),
            stood=tuple(Stood(Interval(s, e), k, a, h) for s, e, k, a, h in stood.get(call_id, ())),
            score=scores.get(call_id, (None, False))[0],
            cut=scores.get(call_id, (None, False))[1],
            score_without_thanks=without.get(call_id, (None, False))[0],
            cut_without_thanks=without.get(call_id, (None, False))[1],
            repeats=call_id in repeats,
            main_topic=topics[call_id][0][0] if call_id in topics else None,
            known_topics=known,
        )
        for call_id in ids
    }


@contextmanager
def _catalog(tables: Mapping[str, pa.Table]) -> Iterator[duckdb.DuckDBPyConnection]:
    """An in-memory catalog: the given rows, empty tables for the rest, all macros and views."""
    import duckdb

    from speechlytics.sql import sql_files

    with duckdb.connect() as con:
        for name, schema in TABLES.items():
            con.register("incoming", tables.get(name, schema.empty_table()))
            con.execute(f"CREATE TABLE {name} AS FROM incoming")  # our names
            con.unregister("incoming")
        for file in sql_files():
            con.execute(file.statement)
        yield con


def _scores(con: duckdb.DuckDBPyConnection) -> dict[str, tuple[float, bool]]:
    rows = con.execute(
        "SELECT call_id, score, call_id IN (SELECT call_id FROM unresolved_calls) AS cut "
        "FROM unresolved(min_score := -1000)"
    ).fetchall()
    return {call_id: (score, cut) for call_id, score, cut in rows}


def _by_call(con: duckdb.DuckDBPyConnection, rest: str) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for call_id, *values in con.execute(f"SELECT call_id, {rest}").fetchall():
        found.setdefault(call_id, []).append(tuple(values))
    return found
