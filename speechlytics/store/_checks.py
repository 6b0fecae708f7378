"""What rows must keep to before they are published."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.errors import StoreError
from speechlytics.schema import CALL_TABLES, SCHEMA_VERSION, TABLES


def check(tables: Mapping[str, pa.Table], *, complete: bool = False) -> None:
    """Refuse rows that would break the store's promises.

    Raises:
        StoreError: a table is missing or unknown, columns differ from the schema, a call occurs
            twice, or a row belongs to no call of the batch.
    """
    missing = {"calls"} - tables.keys() if not complete else set(CALL_TABLES) - tables.keys()
    if missing or tables.keys() - set(CALL_TABLES):
        raise StoreError(
            f"tables to publish: {sorted(tables)}; missing: {sorted(missing)}, "
            f"known: {list(CALL_TABLES)} (schema version {SCHEMA_VERSION})"
        )
    for name, rows in tables.items():
        if not rows.schema.equals(TABLES[name]):
            raise StoreError(f"{name}: columns differ from the schema: {rows.schema.names}")
    keys = tables["calls"].select(["call_id", "call_date"])
    ids = keys.column("call_id").combine_chunks()
    if len(pc.unique(ids)) != len(ids):
        counts = pc.value_counts(ids).to_pylist()
        twice = [c["values"] for c in counts if c["counts"] > 1][:3]
        raise StoreError(f"calls: call ids occur twice in one publication: {twice}")
    for name, rows in tables.items():
        if name == "calls" or rows.num_rows == 0:
            continue
        own = pa.table({n: rows.column(n) for n in ("call_id", "call_date")})
        strays = own.group_by(["call_id", "call_date"]).aggregate([])
        strays = strays.join(keys, ["call_id", "call_date"], join_type="left anti")
        if strays.num_rows:
            raise StoreError(
                f"{name}: rows of calls that are not in this publication "
                f"(or with another call_date): {strays.column('call_id').to_pylist()[:3]}"
            )
