"""What the store says now: connections that follow publications, and lenses on a part of it.

A macro such as ``unresolved()`` over a million calls is no matter of a page load. A *lens* is a
database in memory with the same tables, views and macros over a few days (and, for one call,
over one customer): ``call_date`` between two literals, which prunes every other file. The days
around the ones asked for belong to it, because repeats look seven days back and ahead.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from speechlytics.schema import PARTITIONED, TABLES
from speechlytics.sql import sql_files
from speechlytics.store import Store

if TYPE_CHECKING:
    import duckdb

MARGIN = timedelta(days=8)
"""Days that a lens shows around the days asked for: the repeat window and one for its end."""
LENS = "memory.lens"
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class State:
    """One state of the catalog: a connection, and the versions of the tables of calls."""

    connection: duckdb.DuckDBPyConnection
    database: str
    signature: tuple[int, ...]
    calls_version: tuple[tuple[str, int], ...]

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for one thread; cursors do not inherit what ``USE`` chose."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"USE {self.database}")
            yield cursor


class Catalog:
    """The store's catalog, opened again whenever it was swapped; safe to share by threads."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._file = store.place.work / "catalog.duckdb"
        self._lock = threading.Lock()
        self._state: State | None = None
        self._latest: tuple[tuple[tuple[str, int], ...], date | None] | None = None

    def state(self) -> State:
        """The current state.

        Raises:
            StoreError: there is no store, or its catalog cannot be read.
        """
        with self._lock:
            signature = self._signature()
            if self._state is None or self._state.signature != signature:
                connection = quiet(self.store.connect())
                versions = connection.execute(
                    "SELECT table_name, version FROM store_info ORDER BY table_name"
                ).fetchall()
                judged = {*PARTITIONED, "rules"}
                self._state = State(
                    connection,
                    str(connection.execute("SELECT current_database()").fetchall()[0][0]),
                    signature,
                    tuple((n, v) for n, v in versions if n in judged),
                )
            return self._state

    def _signature(self) -> tuple[int, ...]:
        try:
            stat = self._file.stat()
        except OSError:
            return ()
        return (stat.st_ino, stat.st_mtime_ns, stat.st_size)

    def rows(self, query: str, parameters: Iterable[Any] = ()) -> list[Row]:
        """Rows of a query over the current state."""
        with self.state().cursor() as cursor:
            return rows(cursor, query, parameters)

    def latest_day(self) -> date | None:
        """The latest day that has calls."""
        version = self.state().calls_version
        if self._latest is None or self._latest[0] != version:
            found = self.rows("SELECT max(call_date) AS day FROM calls")[0]["day"]
            self._latest = (version, found)
        return self._latest[1]

    def ids_of(self, day: date) -> list[str]:
        """Ids of a day's calls."""
        query = f"SELECT call_id FROM calls WHERE call_date = {literal(day)}"  # noqa: S608 - our names
        return [row["call_id"] for row in self.rows(query)]

    def day_of(self, call_id: str, hint: date | None = None) -> date | None:
        """The day of a call; the hint spares a look at every file."""
        where = "" if hint is None else f" AND call_date = {literal(hint)}"
        found = self.rows(f"SELECT call_date FROM calls WHERE call_id = ?{where}", [call_id])  # noqa: S608 - our names
        if not found and hint is not None:
            return self.day_of(call_id)
        return found[0]["call_date"] if found else None

    def lens(self, first: date, last: date, names: Iterable[str]) -> Lens:
        """A lens on these days, with the named views and macros and what they need."""
        return Lens(self.store, (first, last), self.latest_day() or last, names)


class Lens:
    """The store as if it held a few days only, in a database of its own."""

    def __init__(
        self, store: Store, days: tuple[date, date], latest: date, names: Iterable[str]
    ) -> None:
        first, last = self.first, self.last = days
        self._latest = latest
        self.connection = quiet(store.connect())
        # "store", or "memory" where the store was moved and its catalog names the old place
        database = self.connection.execute("SELECT current_database()").fetchall()[0][0]
        self._source = f"{database}.main"
        self.connection.execute(f"CREATE SCHEMA {LENS}; USE {LENS}")
        self.between = self._days(first - MARGIN, last + MARGIN)
        for table in TABLES:
            where = f" WHERE {self.between}" if table in PARTITIONED else ""
            self.connection.execute(f"CREATE VIEW {table} AS FROM {self._source}.{table}{where}")
        wanted = _closure(names)
        for file in sql_files():
            if file.name in wanted:
                self.connection.execute(file.statement)

    def only_customer_of(self, call_id: str) -> None:
        """Narrow the lens to one call and its customer's other calls."""
        own = "SELECT customer_key FROM calls WHERE call_id = $1 AND customer_key IS NOT NULL"
        self._only(f"call_id = $1 OR customer_key IN ({own})", [call_id])

    def only_customers_of_days(self) -> None:
        """Narrow the lens to the calls of the days asked for and their customers' other calls."""
        days = self._days(self.first, self.last)
        own = f"SELECT customer_key FROM calls WHERE {days} AND customer_key IS NOT NULL"  # noqa: S608 - our names
        self._only(f"({days}) OR customer_key IN ({own})", [])

    def only_days_asked_for(self) -> None:
        """Narrow the lens to the days asked for, without those around them."""
        for table in PARTITIONED:
            self._show(table, self._days(self.first, self.last))

    def _only(self, wanted: str, parameters: list[Any]) -> None:
        """Narrow the lens to some calls and the store's latest one.

        Whether a repeat window is open depends on the latest call.
        """
        last_day = literal(self._latest)
        latest = (
            f"(SELECT call_id FROM {self._source}.calls WHERE call_date = {last_day} "  # noqa: S608 - our names
            "ORDER BY started_at DESC NULLS LAST LIMIT 1)"
        )
        self.connection.execute(
            f"CREATE TABLE seen AS SELECT call_id FROM calls WHERE {wanted} UNION {latest}",  # noqa: S608 - our names
            parameters,
        )
        for table in PARTITIONED:
            days = f"{self.between} OR call_date = {last_day}" if table == "calls" else self.between
            self._show(table, f"({days}) AND call_id IN (SELECT call_id FROM seen)")  # noqa: S608 - our names

    def _show(self, table: str, where: str) -> None:
        self.connection.execute(
            f"CREATE OR REPLACE VIEW {table} AS FROM {self._source}.{table} WHERE {where}"
        )

    @staticmethod
    def _days(first: date, last: date) -> str:
        return f"call_date BETWEEN {literal(first)} AND {literal(last)}"

    def rows(self, query: str, parameters: Iterable[Any] = ()) -> list[Row]:
        """Rows of a query over the lens."""
        with self.cursor() as cursor:
            return rows(cursor, query, parameters)

    @contextlib.contextmanager
    def cursor(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection to the lens for one thread."""
        with self.connection.cursor() as cursor:
            cursor.execute(f"USE {LENS}")
            yield cursor

    def close(self) -> None:
        """Let the database go."""
        self.connection.close()


def quiet(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The connection, without progress bars in the server's log."""
    connection.execute("SET enable_progress_bar = false")
    # DuckDB takes the silences of some days for fewer than 64, and finds the words before and
    # after each by looking at all words: a hundred times the work of a sorted join.
    connection.execute("SET asof_loop_join_threshold = 0")
    return connection


def rows(
    connection: duckdb.DuckDBPyConnection, query: str, parameters: Iterable[Any] = ()
) -> list[Row]:
    """Rows as dictionaries by column name."""
    result = connection.execute(query, list(parameters))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def literal(day: date) -> str:
    """A day as SQL; only a literal prunes files, a parameter or subquery does not."""
    return f"DATE '{day.isoformat()}'"


def _closure(names: Iterable[str]) -> set[str]:
    needs = {file.name: file.needs for file in sql_files()}
    wanted: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in wanted:
            wanted.add(name)
            waiting.extend(needs[name])
    return wanted
