"""Erased calls leave the memory of what ``--new`` has delivered."""

from __future__ import annotations

from collections.abc import Sequence

from speechlytics.export import _cursor
from speechlytics.export._export import BATCH_ROWS, IDENTITY, identity
from speechlytics.store import Store

MOST_SILENCES = 1000
"""Silences of a call that earlier runs may have found and delivered under other settings."""


def forget_delivered(store: Store, call_ids: Sequence[str], *, dry_run: bool = False) -> int:
    """Take rows of these calls out of every target's memory; call it while they are stored.

    Of a view without an identity of its own (a row is all its columns) the rows are found as
    they are now. Files that were delivered lie elsewhere and stay.

    Returns:
        Rows that were remembered.
    """
    work = store.place.work
    if not call_ids or not any((work / _cursor.FOLDER).glob("*.ids")):
        return 0
    ids = {identity({"call_id": call_id}) for call_id in call_ids}
    ids |= {
        identity({"call_id": call_id, "silence_id": number})
        for call_id in call_ids
        for number in range(MOST_SILENCES)
    }
    ids |= _rows_now(store, call_ids)
    return _cursor.overwrite(work, ids, dry_run=dry_run)


def _rows_now(store: Store, call_ids: Sequence[str]) -> set[bytes]:
    """Identities of the rows of every other view that tells of calls."""
    found: set[bytes] = set()
    with store.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        views = connection.execute(
            "SELECT DISTINCT table_name FROM duckdb_columns() WHERE NOT internal "
            "AND schema_name = 'main' AND column_name = 'call_id' ORDER BY table_name"
        ).fetchall()
        for (view,) in views:
            if view in IDENTITY:
                continue
            query = f'FROM "{view}" WHERE list_contains($1::VARCHAR[], call_id)'
            rows = connection.sql(query, params=[list(call_ids)])
            for batch in rows.to_arrow_reader(BATCH_ROWS):
                found.update(map(identity, batch.to_pylist()))
    return found
