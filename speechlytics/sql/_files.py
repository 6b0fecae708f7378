"""Reads the shipped ``.sql`` files in an order in which they can be created."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib.resources import files
from typing import Literal

from speechlytics.errors import StoreError

_HEADER = re.compile(r"^-- (title|question|grain|example|needs):[ ]?(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class SqlFile:
    """One macro or view.

    Attributes:
        name: Name of the macro or view, and of the file.
        kind: ``macro`` or ``view``.
        title: A few words.
        question: What it answers.
        grain: What one row stands for.
        example: A statement that runs against any store.
        needs: Macros and views that must exist before it.
        statement: The whole file: header and ``CREATE OR REPLACE``.
    """

    name: str
    kind: Literal["macro", "view"]
    title: str
    question: str
    grain: str
    example: str
    needs: tuple[str, ...]
    statement: str


@cache
def sql_files() -> tuple[SqlFile, ...]:
    """All shipped macros and views, each after those that it needs.

    Raises:
        StoreError: a header is incomplete, or the files need each other in a circle.
    """
    found = [
        _read(path.name, kind, path.read_text(encoding="utf-8"))
        for folder, kind in (("macros", "macro"), ("views", "view"))
        for path in files(__package__).joinpath(folder).iterdir()
        if path.name.endswith(".sql")
    ]
    by_name = {file.name: file for file in sorted(found, key=lambda file: file.name)}
    try:
        order = TopologicalSorter({f.name: f.needs for f in by_name.values()}).static_order()
        return tuple(by_name[name] for name in order)
    except CycleError as error:
        raise StoreError(f"SQL files need each other in a circle: {error.args[1]}") from error
    except KeyError as error:
        raise StoreError(f"a SQL file needs {error}, which no file defines") from error


def _read(file_name: str, kind: str, text: str) -> SqlFile:
    header = dict(_HEADER.findall(text))
    missing = {"title", "question", "grain", "example", "needs"} - header.keys()
    if missing:
        raise StoreError(f"{file_name}: header lacks {', '.join(sorted(missing))}")
    return SqlFile(
        name=file_name.removesuffix(".sql"),
        kind="macro" if kind == "macro" else "view",
        title=header["title"],
        question=header["question"],
        grain=header["grain"],
        example=header["example"],
        needs=tuple(name for name in re.split(r"[,\s]+", header["needs"]) if name),
        statement=text,
    )
