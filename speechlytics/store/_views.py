"""The SQL that makes the store readable: table views over the live files, macros and views.

Table views are generated from :mod:`speechlytics.schema` and the live files; macros and views
are the ``.sql`` files of :mod:`speechlytics.sql`.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from speechlytics.schema import PARTITION_KEY, PARTITIONED, SCHEMA_VERSION, TABLES, comment
from speechlytics.sql import SqlFile
from speechlytics.store import _files
from speechlytics.store._files import LiveFile
from speechlytics.store.durable import Place

TABLE_COMMENTS = {
    "calls": "One row per call.",
    "segments": "One row per stretch of transcribed speech of one role.",
    "silences": "One row per stretch of 1 s or more in which nobody speaks.",
    "phrase_hits": "One row per place where a rule of a phrase pack fired.",
    "postings": "One row per stem and segment holding it, per word, per call: what search reads.",
    "rules": "One row per rule, as the packs said when last applied.",
    "reviews": "One row per verdict of a reviewer.",
    "runs": "One row per run.",
    "audit": "One row per listening, verdict, export or erasure.",
}
SQL_TYPES = {
    pa.string(): "VARCHAR", pa.large_string(): "VARCHAR", pa.bool_(): "BOOLEAN",
    pa.int16(): "SMALLINT", pa.int32(): "INTEGER", pa.int64(): "BIGINT",
    pa.float32(): "FLOAT", pa.float64(): "DOUBLE", pa.date32(): "DATE",
    pa.timestamp("us"): "TIMESTAMP", pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}  # fmt: skip
LIVE = "live"
"""Schema of the views that name files."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A version of a table and its files."""

    table: str
    version: int
    files: tuple[LiveFile, ...]


def sql_type(type_: pa.DataType) -> str:
    """DuckDB's name of an Arrow type."""
    if pa.types.is_list(type_):
        return f"{sql_type(type_.value_type)}[]"
    if pa.types.is_struct(type_):
        inner = ", ".join(f'"{field.name}" {sql_type(field.type)}' for field in type_)
        return f"STRUCT({inner})"
    return SQL_TYPES[type_]


def text_literal(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def live_view(place: Place, snapshot: Snapshot, root: str) -> str:
    """View ``live.TABLE`` over exactly the live files, under another root if asked.

    It is apart from the view ``TABLE``, which carries the comments: a publication replaces only
    this one, and forty comments need not be made again.
    """
    table, schema = snapshot.table, TABLES[snapshot.table]
    groups = _by_columns(place, table, snapshot.files)
    selects = [_select(table, schema, columns, paths, root) for columns, paths in groups]
    if not selects:
        typed = ",\n  ".join(f'NULL::{sql_type(f.type)} AS "{f.name}"' for f in schema)
        selects = [f"SELECT\n  {typed}\nWHERE false"]
    body = "\nUNION ALL\n".join(selects)
    return f"CREATE OR REPLACE VIEW {LIVE}.{table} AS\n{body};"


def table_view(table: str) -> str:
    """View ``TABLE`` with a comment on each column."""
    lines = [
        f"CREATE OR REPLACE VIEW {table} AS FROM {LIVE}.{table};",
        f"COMMENT ON VIEW {table} IS {text_literal(TABLE_COMMENTS[table])};",
    ]
    lines += [
        f'COMMENT ON COLUMN {table}."{f.name}" IS {text_literal(comment(f))};'
        for f in TABLES[table]
    ]
    return "\n".join(lines)


def store_info(
    snapshots: Iterable[Snapshot], root: str, sequence: int, built_at: datetime, digest: str
) -> str:
    """View ``store_info``: one row per table."""
    rows = ",\n  ".join(
        f"({text_literal(s.table)}, {s.version}, {len(s.files)}, "
        f"{sum(f.rows for f in s.files)}, {sum(f.size for f in s.files)}, "
        f"{text_literal(root + '/' + s.table)})"
        for s in snapshots
    )
    return (
        "CREATE OR REPLACE VIEW store_info AS\n"
        "SELECT table_name, version::BIGINT AS version, files::BIGINT AS files, "
        'rows::BIGINT AS "rows", bytes::BIGINT AS bytes, path,\n'
        f"  {SCHEMA_VERSION} AS schema_version, {sequence}::BIGINT AS publication,\n"
        f"  TIMESTAMPTZ {text_literal(built_at.isoformat())} AS built_at,\n"
        f"  {text_literal(root)} AS store, {text_literal(digest)} AS sql_sha256\n"
        f"FROM (VALUES\n  {rows}\n) AS t(table_name, version, files, rows, bytes, path);\n"
        "COMMENT ON VIEW store_info IS 'One row per table: the version that the views show.';"
    )


def sources_sha256(sources: Iterable[SqlFile]) -> str:
    """Changes when any SQL file or the schema changes."""
    whole = hashlib.sha256()
    for source in sources:
        whole.update(source.name.encode() + b"\0" + source.statement.encode() + b"\0")
    for table, schema in TABLES.items():
        text = ",".join(f"{f.name} {f.type} {comment(f)}" for f in schema)
        whole.update(f"{table} {TABLE_COMMENTS[table]} {text}\0".encode())
    return whole.hexdigest()


def _by_columns(
    place: Place, table: str, live: Iterable[LiveFile]
) -> list[tuple[frozenset[str], list[str]]]:
    """Files grouped by the columns they hold; a footer is read only for older files."""
    today = _files.columns_sha256(table)
    columns_of: dict[str, frozenset[str]] = {
        today: frozenset(_files.file_schema(table).names),
    }
    groups: Mapping[frozenset[str], list[str]] = defaultdict(list)
    for file in live:
        key = file.columns_sha256 or file.path
        if key not in columns_of:
            columns_of[key] = frozenset(place.parquet_columns(f"{table}/{file.path}"))
        groups[columns_of[key]].append(file.path)
    return sorted(groups.items(), key=lambda item: -len(item[0]))


def _select(
    table: str, schema: pa.Schema, columns: frozenset[str], paths: list[str], root: str
) -> str:
    here = columns | {PARTITION_KEY} if table in PARTITIONED else columns
    wanted = ", ".join(
        f'"{f.name}"' if f.name in here else f'NULL::{sql_type(f.type)} AS "{f.name}"'
        for f in schema
    )
    names = ",\n  ".join(text_literal(_escape_glob(f"{root}/{table}/{p}")) for p in paths)
    hive = (
        f", hive_partitioning = true, hive_types = {{'{PARTITION_KEY}': DATE}}"
        if table in PARTITIONED
        else ", hive_partitioning = false"
    )
    return f"SELECT {wanted}\nFROM read_parquet([\n  {names}\n]{hive})"


def _escape_glob(path: str) -> str:
    """DuckDB reads ``*``, ``?`` and ``[`` in a listed path as a pattern."""
    return re.sub(r"([*?\[])", r"[\1]", path)
