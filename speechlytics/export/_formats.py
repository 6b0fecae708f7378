"""Writers of the four forms: rows arrive in Arrow batches, so that memory stays flat."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from speechlytics.errors import StoreError
from speechlytics.export._rows import as_json, cell, harmless

XLSX_MAX_ROWS = 1_048_575
"""Rows of a sheet, less the header."""
XLSX_MAX_TEXT = 32_767
"""Characters of a cell; Excel refuses files with more."""
XLSX_CREATED = datetime(2000, 1, 1)
# same rows make the same file

Batches = Iterable[pa.RecordBatch]
WriteForm = Callable[[Path, pa.Schema, Batches], None]


def _csv(path: Path, schema: pa.Schema, batches: Batches) -> None:
    # utf-8-sig: Excel reads Cyrillic only with the mark; every CSV reader skips it.
    with path.open("w", encoding="utf-8-sig", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([harmless(name) for name in schema.names])
        for row in _rows(batches):
            writer.writerow([_csv_cell(value) for value in row.values()])


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return cell(value)


def _jsonl(path: Path, schema: pa.Schema, batches: Batches) -> None:
    del schema
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(as_json(row) + "\n" for row in _rows(batches))


def _parquet(path: Path, schema: pa.Schema, batches: Batches) -> None:
    import pyarrow.parquet as pq

    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in batches:
            writer.write_batch(batch)


def _xlsx(path: Path, schema: pa.Schema, batches: Batches) -> None:
    import xlsxwriter

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": XLSX_CREATED})
        bold = book.add_format({"bold": True})
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for column, name in enumerate(schema.names):
            sheet.write_string(0, column, name, bold)
        for number, row in enumerate(_rows(batches), 1):
            if number > XLSX_MAX_ROWS:
                raise StoreError(
                    f"{path}: more than {XLSX_MAX_ROWS} rows do not fit a sheet; "
                    "narrow it with --since and --until, or export CSV or Parquet"
                )
            for column, value in enumerate(row.values()):
                _xlsx_cell(sheet, number, column, cell(value))


def _xlsx_cell(sheet: Any, row: int, column: int, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, column, value)
    else:
        shortened = value if len(value) <= XLSX_MAX_TEXT else value[: XLSX_MAX_TEXT - 1] + "…"
        sheet.write_string(row, column, shortened)


def _rows(batches: Batches) -> Iterator[dict[str, Any]]:
    for batch in batches:
        yield from batch.to_pylist()


WRITERS: Mapping[str, WriteForm] = {
    "csv": _csv, "jsonl": _jsonl, "parquet": _parquet, "xlsx": _xlsx,
}  # fmt: skip
"""Form → writer of a file at a path; file endings are the same names."""
