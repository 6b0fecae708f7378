"""The immutable Parquet files of a table.

A file's name carries a fingerprint of the columns it holds: ``part-<columns>-<random>.parquet``;
that is how the catalog knows which files lack a column that was added later, without opening
any. The hive key stands in the folder name and not in the file, as delta-rs has it too.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.schema import PARTITION_KEY, PARTITIONED, TABLES
from speechlytics.store.durable import Place

UNIQUE_TEXT = frozenset({"text", "extra", "error", "note", "detail", "counts", "versions"})
"""Columns of free text."""
BOUNDLESS = UNIQUE_TEXT | {"role", "channel", "run_id", "stem", "segment_id", "start_ms", "end_ms"}
"""Columns whose least and greatest value would prune nothing: every row group holds all sorts."""


@dataclass(frozen=True, slots=True)
class LiveFile:
    """A Parquet file that a version of a table refers to; ``path`` is relative to the table."""

    path: str
    size: int
    rows: int
    day: str | None = None
    min_call_id: str | None = None
    max_call_id: str | None = None

    @property
    def columns_sha256(self) -> str | None:
        """Fingerprint of its columns, ``None`` for a file that another tool wrote."""
        parts = self.path.rsplit("/", 1)[-1].split("-")
        return parts[1] if len(parts) == 3 and parts[0] == "part" else None


def file_schema(table: str) -> pa.Schema:
    """Columns inside the files: without the hive key, which stands in the folder name."""
    schema = TABLES[table]
    if table in PARTITIONED:
        schema = schema.remove(schema.get_field_index(PARTITION_KEY))
    return schema.remove_metadata()


def columns_sha256(table: str) -> str:
    """Fingerprint (8 hex digits) of the columns that files of a table hold today."""
    text = ",".join(f"{f.name} {f.type}" for f in file_schema(table))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def new_file_name(table: str, day: str | None) -> str:
    """A name that was never used, relative to the table's folder."""
    name = f"part-{columns_sha256(table)}-{uuid.uuid4().hex}.parquet"
    return name if day is None else f"{PARTITION_KEY}={day}/{name}"


def encoding(schema: pa.Schema) -> dict[str, Any]:
    """How columns are encoded: half the size and half the time of pyarrow's defaults.

    Times grow, so integers are stored as differences; words and categories repeat, so strings
    get a dictionary, except those that never repeat. Bounds are kept where they can prune.
    """
    leaves = [leaf for field in schema for leaf in _leaves(field.name, field.type)]
    strings = [path for path, type_ in leaves if pa.types.is_string(type_)]
    return {
        "compression": "zstd",
        "store_schema": False,
        "use_dictionary": [path for path in strings if path not in UNIQUE_TEXT],
        "column_encoding": {
            path: "DELTA_BINARY_PACKED"
            for path, type_ in leaves
            if type_ in (pa.int16(), pa.int32(), pa.int64())
        },
        "write_statistics": [
            path for path, _ in leaves if "." not in path and path not in BOUNDLESS
        ],
    }


def _leaves(path: str, type_: pa.DataType) -> list[tuple[str, pa.DataType]]:
    """Parquet's names of the leaf columns of a field."""
    if pa.types.is_list(type_):
        return _leaves(f"{path}.list.element", type_.value_type)
    if pa.types.is_struct(type_):
        return [leaf for field in type_ for leaf in _leaves(f"{path}.{field.name}", field.type)]
    return [(path, type_)]


def write(
    place: Place, table: str, parts: Iterable[pa.Table], day: str | None, rows_per_group: int
) -> LiveFile:
    """Write rows (with or without the hive key) as one new file; commits nothing.

    Args:
        place: The store.
        table: Which table.
        parts: The rows in order, a part at a time; a part's last row group may be a short one.
        day: Its partition, if it has any.
        rows_per_group: Rows per row group at most.
    """
    schema = file_schema(table)
    path = new_file_name(table, day)
    rows, bounds = 0, list[str]()

    def counted() -> Iterator[pa.Table]:
        nonlocal rows
        for part in parts:
            rows += part.num_rows
            if "call_id" in schema.names and part.num_rows:
                found = pc.min_max(part.column("call_id")).as_py().values()
                bounds.extend(bound for bound in found if bound is not None)
            yield pa.Table.from_arrays([part.column(n) for n in schema.names], schema=schema)

    name, options = f"{table}/{path}", encoding(schema)
    size = place.write_parquet(name, schema, counted(), rows_per_group, options)
    low, high = (min(bounds), max(bounds)) if bounds else (None, None)
    return LiveFile(path, size, rows, day, low, high)


def read(place: Place, table: str, file: LiveFile, columns: list[str] | None = None) -> pa.Table:
    """Read a file with today's columns; what it lacks is NULL, the hive key comes back."""
    schema = TABLES[table]
    wanted = schema.names if columns is None else columns
    inside = [n for n in wanted if n != PARTITION_KEY or file.day is None]
    if file.columns_sha256 == columns_sha256(table):
        stored = place.read_parquet(f"{table}/{file.path}", inside)
    else:
        stored = place.read_parquet(f"{table}/{file.path}")
    count = stored.num_rows
    arrays = []
    for name in wanted:
        type_ = schema.field(name).type
        if name == PARTITION_KEY and file.day is not None:
            arrays.append(pa.repeat(pa.scalar(date.fromisoformat(file.day), type_), count))
        elif name in stored.column_names:
            arrays.append(stored.column(name).cast(type_))
        else:
            arrays.append(pa.nulls(count, type_))
    return pa.Table.from_arrays(arrays, schema=pa.schema([schema.field(n) for n in wanted]))


def to_json(file: LiveFile) -> dict[str, Any]:
    """For the journal."""
    return asdict(file)


def from_json(value: Mapping[str, Any]) -> LiveFile:
    """From the journal."""
    return LiveFile(**value)
