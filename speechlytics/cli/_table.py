"""Rows for people and programs: a table on a terminal, or CSV, JSON, Markdown."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from typing import Any, Literal

TextFormat = Literal["table", "csv", "json", "jsonl", "markdown"]


def as_text(columns: Sequence[str], rows: Sequence[Sequence[Any]], form: TextFormat) -> str:
    """Render rows; nested values become JSON in flat formats."""
    if form == "json":
        return json.dumps(
            [dict(zip(columns, row, strict=True)) for row in rows],
            ensure_ascii=False,
            default=str,
            indent=2,
        )
    if form == "jsonl":
        return "\n".join(
            json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, default=str)
            for row in rows
        )
    if form == "csv":
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_flat(value) for value in row] for row in rows)
        return out.getvalue().rstrip("\n")
    if form == "markdown":
        lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
        lines += [
            "| " + " | ".join(_flat(value).replace("|", "\\|") for value in row) + " |"
            for row in rows
        ]
        return "\n".join(lines)
    return _table(columns, rows)


def _flat(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, float):
        return f"{value:.6g}"
    return str(value)


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = any(isinstance(row[index], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(_flat(value)) for value in row))
    out = io.StringIO()
    # piped output is read by programs and in log files: do not cut it to a terminal's width
    width = None if sys.stdout.isatty() else 200
    Console(file=out, width=width, no_color=not sys.stdout.isatty()).print(table)
    return out.getvalue().rstrip("\n")
