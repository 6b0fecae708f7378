"""``catalog.duckdb``: built beside the store and swapped in as a whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from speechlytics.errors import StoreError
from speechlytics.schema import TABLES
from speechlytics.sql import SqlFile, sql_files
from speechlytics.store import _delta, _views
from speechlytics.store._publish import State, read_state
from speechlytics.store._views import Snapshot
from speechlytics.store.durable import Place, replace_file, step

if TYPE_CHECKING:
    import duckdb

NAME = "catalog.duckdb"
STORAGE_VERSION = "v1.5.0"
"""File format of the catalog: the oldest that has all we use, so that older clients open it."""
ALIAS = "store"
"""Name under which :func:`connect` attaches the catalog."""


def snapshots(place: Place) -> tuple[State, list[Snapshot]]:
    """Published versions of the partitioned tables, latest versions of the others.

    Raises:
        StoreError: there is no store.
    """
    state = read_state(place)
    if state is None:
        raise StoreError(
            f"{place.root}: no store here; `speechlytics run --store {place.root}` makes one"
        )
    found = []
    for name in TABLES:
        version, files = _delta.files_of(place, name, state.versions.get(name))
        found.append(Snapshot(name, version, tuple(files)))
    return state, found


def statements(
    place: Place, root: str | None = None, sql: Sequence[SqlFile] | None = None
) -> Iterator[tuple[str, str]]:
    """Name and SQL of everything that a client needs, in order of dependency."""
    state, tables = snapshots(place)
    base = (root or place.root).rstrip("/")
    sources = sql_files() if sql is None else sql
    yield "live", f"CREATE SCHEMA IF NOT EXISTS {_views.LIVE};\n"
    yield from _live(place, state, tables, base, _views.sources_sha256(sources))
    for name in TABLES:
        yield name, _views.table_view(name)
    for source in sources:
        yield f"sql/{source.kind}s/{source.name}.sql", source.statement


def _live(
    place: Place, state: State, tables: list[Snapshot], base: str, digest: str
) -> Iterator[tuple[str, str]]:
    for snapshot in tables:
        yield snapshot.table, _views.live_view(place, snapshot, base)
    now = datetime.now(UTC)
    yield "store_info", _views.store_info(tables, base, state.sequence, now, digest)


class Builder:
    """Builds the catalog; a writer keeps one, because starting DuckDB is half of the cost.

    Args:
        place: The store.
        sql: SQL files to load instead of the package's.
    """

    def __init__(self, place: Place, sql: Sequence[SqlFile] | None = None) -> None:
        self._place = place
        self._sql = sql_files() if sql is None else sql
        self._connection: duckdb.DuckDBPyConnection | None = None

    def close(self) -> None:
        """Let DuckDB go."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def refresh(self) -> None:
        """Build the catalog over what is published and swap it in; the caller has the turn.

        When only files changed since the last one, its macros and views are taken over as they
        are: a copy with new file lists costs a tenth of a full build.

        Raises:
            StoreError: an SQL file does not run; the message names it. The old catalog stays.
        """
        import duckdb

        work = self._place.work
        work.mkdir(parents=True, exist_ok=True)
        for leftover in work.glob(".catalog-*"):
            leftover.unlink(missing_ok=True)
        catalog, temporary = work / NAME, work / f".catalog-{os.getpid()}.duckdb"
        step("write", str(catalog))
        try:
            if not (catalog.exists() and self._renew(catalog, temporary)):
                temporary.unlink(missing_ok=True)
                self._build(temporary)
        except (OSError, duckdb.Error) as error:
            raise StoreError(f"{catalog}: cannot be built: {error}") from error
        replace_file(temporary, catalog)

    def _build(self, path: Path) -> None:
        with self._attached(path, f"STORAGE_VERSION '{STORAGE_VERSION}'") as connection:
            _execute(connection, list(statements(self._place, None, self._sql)))

    def _renew(self, catalog: Path, temporary: Path) -> bool:
        """Copy the catalog and replace what changed; ``False`` when it is of another make."""
        import duckdb

        place = self._place
        state, tables = snapshots(place)
        digest = _views.sources_sha256(self._sql)
        shutil.copyfile(catalog, temporary)
        try:
            with self._attached(temporary, "READ_WRITE") as connection:
                query = "SELECT table_name, version, store, sql_sha256 FROM store_info"
                rows = connection.execute(query).fetchall()
                if {(store, made) for _, _, store, made in rows} != {(place.root, digest)}:
                    return False
                shown = {name: version for name, version, _, _ in rows}
                changed = {t.table for t in tables if shown.get(t.table) != t.version}
                pieces = _live(place, state, tables, place.root, digest)
                _execute(connection, [p for p in pieces if p[0] in changed | {"store_info"}])
        except duckdb.Error:
            # A damaged or foreign file: build a new one.
            return False
        return True

    @contextlib.contextmanager
    def _attached(self, path: Path, option: str) -> Iterator[duckdb.DuckDBPyConnection]:
        import duckdb

        if self._connection is None:
            self._connection = duckdb.connect(config={"threads": 1})
            self._place.show_to(self._connection)
        connection = self._connection
        try:
            where = _views.text_literal(str(path))
            connection.execute(f"ATTACH {where} AS built ({option}); USE built;")
            yield connection
            connection.execute("USE memory; DETACH built;")
        except BaseException:
            # Whatever state it is in: the next build starts afresh.
            self.close()
            raise


def _execute(connection: duckdb.DuckDBPyConnection, pieces: list[tuple[str, str]]) -> None:
    import duckdb

    connection.execute("BEGIN")
    for name, text in pieces:
        try:
            connection.execute(text)
        except duckdb.Error as error:
            raise StoreError(f"{name}: does not run: {error}") from error
    connection.execute("COMMIT")


def connect(place: Place, sql: Sequence[SqlFile] | None = None) -> duckdb.DuckDBPyConnection:
    """A DuckDB connection over one consistent state of the store; it cannot change the store.

    The catalog is attached read-only to a database in memory. (Opening the file itself would
    give an older state while another connection of this process is still open on it.)

    Raises:
        StoreError: there is no store, or its catalog cannot be read.
    """
    import duckdb

    catalog = place.work / NAME
    if read_state(place) is None:
        snapshots(place)
    connection = duckdb.connect()
    # Files never change once written: a footer read once need not be read again.
    connection.execute("SET parquet_metadata_cache = true")
    place.show_to(connection)
    try:
        if catalog.exists():
            connection.execute(
                f"ATTACH {_views.text_literal(str(catalog))} AS {ALIAS} (READ_ONLY); USE {ALIAS};"
            )
            query = "SELECT any_value(store) FROM store_info"
            if connection.execute(query).fetchall() == [(place.root,)]:
                return connection
            # The store was moved: its catalog still names the old place.
            connection.execute(f"USE memory; DETACH {ALIAS};")
        _execute(connection, list(statements(place, None, sql)))
    except duckdb.Error as error:
        connection.close()
        raise StoreError(f"{catalog}: cannot be read: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def views_sql(place: Place, root: str | None = None, sql: Sequence[SqlFile] | None = None) -> str:
    """SQL that sets up every table view, macro and view in any DuckDB client.

    Args:
        place: The store.
        root: Where that client finds the store, when it is mounted elsewhere.
        sql: SQL files to load instead of the package's.
    """
    return "\n".join(text for _, text in statements(place, root, sql))
