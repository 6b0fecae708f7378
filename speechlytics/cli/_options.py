"""Options that several commands share, so that they are called and read the same everywhere."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer


def day(text: str) -> date:
    """A day as people type it.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not a day such as 2026-11-22") from error


Day = Annotated[
    date | None,
    typer.Option("--date", parser=day, metavar="DAY", help="Only calls of this day."),
]
Since = Annotated[
    date | None, typer.Option(parser=day, metavar="DAY", help="Only calls since this day.")
]
Until = Annotated[
    date | None,
    typer.Option(parser=day, metavar="DAY", help="Only calls until this day, included."),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
