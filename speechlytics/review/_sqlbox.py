"""The SQL page: any SELECT over the store, and nothing else.

Read-only by construction: one statement, of kind SELECT, in a database whose catalog is attached
read-only, that can reach no file but those of the tables, load no extension and change no setting.
Time, memory and rows are limited.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from speechlytics.errors import SpeechlyticsError
from speechlytics.review._i18n import N_, translations
from speechlytics.schema import TABLES
from speechlytics.store import Store

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

TIME_LIMIT_S = 20.0
ROW_LIMIT = 1000
"""Rows shown; files hold up to ``FILE_ROW_LIMIT``."""
FILE_ROW_LIMIT = 100_000
MAX_BYTES = 64 << 20
"""Largest answer: a single value can be as large as the memory."""
MEMORY_LIMIT = "2GB"
MAX_QUERY = 20_000
AT_ONCE = threading.BoundedSemaphore(2)


class QueryRefused(SpeechlyticsError):
    """A query that the SQL page does not run, or that failed; the message says why.

    Args:
        message: English, with ``%(name)s`` where a value belongs; translated when shown.
        quotes: It may hold values of the store, as the database's own messages do.
        values: Those values.
    """

    def __init__(self, message: str, *, quotes: bool = False, **values: str) -> None:
        super().__init__(message % values if values else message)
        self.message, self.quotes, self.values = message, quotes, values

    def said_in(self, language: str) -> str:
        """The message in a language of the page."""
        said = translations(language).gettext(self.message)
        return said % self.values if self.values else said


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query returned; ``cut`` when there was more than the limit."""

    table: pa.Table
    cut: bool


def ask(store: Store, query: str, limit: int = ROW_LIMIT) -> Answer:
    """Run one SELECT.

    Raises:
        QueryRefused: it is something else, fails, or takes too long.
        StoreError: there is no store.
    """
    import duckdb

    if len(query) > MAX_QUERY:
        raise QueryRefused(N_("the query is longer than %(most)s characters"), most=str(MAX_QUERY))
    if not AT_ONCE.acquire(timeout=TIME_LIMIT_S):
        raise QueryRefused(N_("other queries are running; try again in a moment"))
    try:
        connection = _locked(store)
        timer = threading.Timer(TIME_LIMIT_S, connection.interrupt)
        timer.start()
        try:
            return _run(connection, query, limit)
        except duckdb.InterruptException as error:
            raise QueryRefused(
                N_("stopped after %(limit)s s; narrow it by call_date, or use `speechlytics sql`"),
                limit=f"{TIME_LIMIT_S:.0f}",
            ) from error
        except duckdb.Error as error:
            raise QueryRefused(str(error), quotes=True) from error
        finally:
            timer.cancel()
            connection.close()
    finally:
        AT_ONCE.release()


def _run(connection: duckdb.DuckDBPyConnection, query: str, limit: int) -> Answer:
    import duckdb
    import pyarrow as pa

    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        kinds = ", ".join(s.type.name for s in statements) or "nothing"
        raise QueryRefused(N_("one SELECT is run here, not: %(kinds)s"), kinds=kinds)
    reader = connection.sql(statements[0].query).to_arrow_reader(2048)
    batches, count, total = [], 0, 0
    for batch in reader:
        batches.append(batch)
        count += batch.num_rows
        total += batch.nbytes
        if total > MAX_BYTES:
            raise QueryRefused(
                N_("the answer is larger than %(most)s MB; ask for fewer columns or rows"),
                most=str(MAX_BYTES >> 20),
            )
        if count > limit:
            break
    table = pa.Table.from_batches(batches, schema=reader.schema)
    return Answer(table.slice(0, limit), count > limit)


def _locked(store: Store) -> duckdb.DuckDBPyConnection:
    connection = store.connect()
    root = store.place.root.rstrip("/")
    for setting, value in (
        ("allowed_directories", [f"{root}/{table}/" for table in TABLES]),
        ("enable_progress_bar", False),
        ("autoinstall_known_extensions", False),
        ("autoload_known_extensions", False),
        ("memory_limit", MEMORY_LIMIT),
        ("temp_directory", ""),
        ("enable_external_access", False),
        ("lock_configuration", True),
    ):
        connection.execute(f"SET {setting} = {_setting(value)}")
    return connection


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(_setting(item) for item in value) + "]"
    return "'" + str(value).replace("'", "''") + "'"
