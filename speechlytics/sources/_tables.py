"""Manifest files → rows with their line: CSV, JSON lines, Parquet, and Asterisk's CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from speechlytics.buckets import open_url
from speechlytics.errors import SourceError

_DELIMITERS = ",;\t|"
_WIDEST_FIELD = 1 << 24


@dataclass(frozen=True, slots=True)
class Row:
    """One row as read; ``problem`` says why it could not be, then ``values`` is empty."""

    line: int
    values: dict[str, object] = field(default_factory=dict)
    problem: str | None = None
    note: str | None = None


def read_bytes(path: str, key: str) -> bytes:
    """Content of a local or remote file.

    Raises:
        SourceError: naming the file and the configuration key.
    """
    try:
        with open_url(path if "://" in path else f"file://{path}") as file:
            return bytes(file.read())
    except Exception as error:  # every backend raises its own kinds
        raise SourceError(
            f"{key} = {path!r} cannot be read ({type(error).__name__}: {error}); "
            "check that the file exists and may be read"
        ) from error


def read_table(path: str, key: str, delimiter: str | None) -> tuple[list[str], Iterator[Row]]:
    """Columns and rows of a manifest, by the ending of its name.

    Raises:
        SourceError: it cannot be read, or is of none of the known kinds.
    """
    content = read_bytes(path, key)
    suffix = PurePosixPath(path).suffix.lower()
    if suffix == ".parquet":
        return _parquet(content, path)
    if suffix in {".jsonl", ".ndjson"}:
        rows = list(_json_lines(content))
        columns = dict.fromkeys(name for row in rows for name in row.values)
        return list(columns), iter(rows)
    if suffix in {".csv", ".tsv", ".txt"}:
        return _csv(decoded(content, path), path, delimiter)
    raise SourceError(f"{key} = {path!r}: a manifest ends in .csv, .tsv, .jsonl or .parquet")


def decoded(content: bytes, path: str) -> str:
    """Text of a UTF-8 file, with or without a byte order mark.

    Raises:
        SourceError: it is in another encoding.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SourceError(
            f"{path}:{line}: not UTF-8; convert it, e.g. iconv -f cp1251 -t utf-8"
        ) from error


def csv_lines(text: str, path: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Lines of a CSV with the number of the line on which each ends; empty ones left out.

    Raises:
        SourceError: the text is no CSV.
    """
    csv.field_size_limit(_WIDEST_FIELD)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for fields in reader:
            if any(value.strip() for value in fields):
                yield reader.line_num, fields
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: not a CSV ({error})") from error


def _csv(text: str, path: str, delimiter: str | None) -> tuple[list[str], Iterator[Row]]:
    head = text.lstrip("\r\n").split("\n", 1)[0]
    lines = csv_lines(text, path, delimiter or max(_DELIMITERS, key=head.count))
    first = next(lines, None)
    if first is None:
        raise SourceError(f"{path}: is empty; the first line of a manifest names its columns")
    columns = [name.strip() for name in first[1]]
    return columns, (_csv_row(columns, line, fields) for line, fields in lines)


def _csv_row(columns: list[str], line: int, fields: list[str]) -> Row:
    note = None
    if len(fields) != len(columns):
        note = f"{len(fields)} fields where the header has {len(columns)}"
    return Row(line, dict(zip(columns, fields, strict=False)), note=note)


def _json_lines(content: bytes) -> Iterator[Row]:
    for line, raw in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), 1):
        if not raw.strip():
            continue
        try:
            values = json.loads(raw)
        except (ValueError, RecursionError) as error:
            yield Row(line, problem=f"malformed JSON ({error})")
            continue
        if isinstance(values, dict):
            yield Row(line, values)
        else:
            yield Row(line, problem="malformed JSON (not an object)")


def _parquet(content: bytes, path: str) -> tuple[list[str], Iterator[Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError, ValueError) as error:
        raise SourceError(f"{path}: not a Parquet file ({error})") from error

    def rows() -> Iterator[Row]:
        line = 0
        for batch in table.to_batches(max_chunksize=4096):
            for values in batch.to_pylist():
                line += 1
                yield Row(line, values)

    return list(table.column_names), rows()
