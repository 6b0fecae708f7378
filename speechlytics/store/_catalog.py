"""``catalog.duckdb``: built beside the store and swapped in as a whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING

from speechlytics.errors import StoreError
from speechlytics.schema import TABLES
from speechlytics.store import _delta, _views
from speechlytics.store._durable import Place, replace_file, step
from speechlytics.store._publish import State, read_state
from speechlytics.store._views import Snapshot

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
        delta = _delta.load(place, name, state.versions.get(name))
        found.append(Snapshot(name, int(delta.version()), tuple(_delta.live_files(delta))))
    return state, found


def statements(
    place: Place, root: str | None = None, folder: Traversable | None = None
) -> Iterator[tuple[str, str]]:
    """Name and SQL of everything that a client needs, in order of dependency."""
    state, tables = snapshots(place)
    base = (root or place.root).rstrip("/")
    sources = _views.package_sql(folder)
    digest = _views.sources_sha256(sources)
    yield from _tables(place, state, tables, base, digest)
    for source in sources:
        yield source.path, source.text


def _tables(
    place: Place, state: State, tables: list[Snapshot], base: str, digest: str
) -> Iterator[tuple[str, str]]:
    for snapshot in tables:
        text = _views.table_view(place, snapshot, base)
        yield snapshot.table, f"{text}\n{_views.comments(snapshot.table)}"
    now = datetime.now(UTC)
    yield "store_info", _views.store_info(tables, base, state.sequence, now, digest)


def refresh(place: Place, folder: Traversable | None = None) -> None:
    """Build the catalog over what is published and swap it in; the caller has the turn.

    When only files changed since the last one, its macros and views are taken over as they
    are: a copy with new table views costs a third of a full build.

    Raises:
        StoreError: an SQL file does not run; the message names it. The old catalog stays.
    """
    state, tables = snapshots(place)
    sources = _views.package_sql(folder)
    digest = _views.sources_sha256(sources)
    place.work.mkdir(parents=True, exist_ok=True)
    for leftover in place.work.glob(".catalog-*"):
        leftover.unlink(missing_ok=True)
    catalog, temporary = place.work / NAME, place.work / f".catalog-{os.getpid()}.duckdb"
    step("write", str(catalog))
    pieces = list(_tables(place, state, tables, place.root, digest))
    if not (catalog.exists() and _renew(catalog, temporary, pieces, digest)):
        temporary.unlink(missing_ok=True)
        _build(temporary, [*pieces, *((s.path, s.text) for s in sources)])
    replace_file(temporary, catalog)


def _build(path: Path, pieces: list[tuple[str, str]]) -> None:
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(
            f"ATTACH {_views.text_literal(str(path))} AS built "
            f"(STORAGE_VERSION '{STORAGE_VERSION}'); USE built;"
        )
        _execute(connection, pieces)
        connection.execute("USE memory; DETACH built;")


def _renew(catalog: Path, temporary: Path, pieces: list[tuple[str, str]], digest: str) -> bool:
    """Copy the catalog and replace its table views; ``False`` when it is of another make."""
    import duckdb

    shutil.copyfile(catalog, temporary)
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            connection.execute(f"ATTACH {_views.text_literal(str(temporary))} AS built; USE built;")
            query = "SELECT any_value(sql_sha256) FROM store_info"
            if connection.execute(query).fetchall() != [(digest,)]:
                return False
            _execute(connection, pieces)
            connection.execute("USE memory; DETACH built;")
    except duckdb.Error:
        # A damaged or foreign file: build a new one.
        return False
    return True


def _execute(connection: duckdb.DuckDBPyConnection, pieces: list[tuple[str, str]]) -> None:
    import duckdb

    connection.execute("BEGIN")
    for name, text in pieces:
        try:
            connection.execute(text)
        except duckdb.Error as error:
            raise StoreError(f"{name}: does not run: {error}") from error
    connection.execute("COMMIT")


def connect(place: Place) -> duckdb.DuckDBPyConnection:
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
        _execute(connection, list(statements(place)))
    except duckdb.Error as error:
        connection.close()
        raise StoreError(f"{catalog}: cannot be read: {error}") from error
    except StoreError:
        connection.close()
        raise
    return connection


def views_sql(place: Place, root: str | None = None) -> str:
    """SQL that sets up every table view, macro and view in any DuckDB client.

    Args:
        place: The store.
        root: Where that client finds the store, when it is mounted elsewhere.
    """
    return "\n".join(text for _, text in statements(place, root))
