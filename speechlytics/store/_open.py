"""Short ways to a store by its path."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from speechlytics.store import _catalog
from speechlytics.store._done import DoneCalls
from speechlytics.store._store import Store

if TYPE_CHECKING:
    import duckdb


def connect(store: str | os.PathLike[str] | Store) -> duckdb.DuckDBPyConnection:
    """A read-only DuckDB connection over one consistent state of a store.

    It goes on showing that state; connect again to see later publications.

    Raises:
        StoreError: there is no store, or its catalog cannot be read.
    """
    return _store(store).connect()


def views_sql(store: str | os.PathLike[str] | Store, root: str | None = None) -> str:
    """SQL that sets up every table view, macro and view in any DuckDB client.

    Args:
        store: The store.
        root: Where that client finds the store, when it is mounted elsewhere.

    Raises:
        StoreError: there is no store.
    """
    found = _store(store)
    return _catalog.views_sql(found.place, root, found.sql)


def done(store: str | os.PathLike[str] | Store) -> DoneCalls:
    """Published calls by id, as far as resuming a run needs them; empty without a store."""
    return _store(store).done()


def _store(store: str | os.PathLike[str] | Store) -> Store:
    return store if isinstance(store, Store) else Store(store)
