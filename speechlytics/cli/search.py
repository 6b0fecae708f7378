"""``speechlytics search``: where words were said."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

import typer

from speechlytics.cli._app import app, example
from speechlytics.cli._options import AsJson, Since, Until
from speechlytics.cli._places import StoreOption, open_store

MS_PER_S = 1000


@app.command(
    epilog=example(
        'speechlytics search "перезвонить завтра"',
        "speechlytics search договор --role customer --since 2026-11-01 --limit 50 --json",
    )
)
def search(
    words: Annotated[list[str], typer.Argument(help="Words that were said, in any form.")],
    since: Since = None,
    until: Until = None,
    role: Annotated[
        Literal["agent", "customer", "ivr", "unknown"] | None,
        typer.Option(help="Only what this role said."),
    ] = None,
    language: Annotated[
        str | None, typer.Option(help="Only segments of this language, ISO 639-1.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many moments.")] = 20,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Find the calls and moments where words were said: all of them in one turn, newest first.

    Forms of a word count as the word: «перезвоню» finds «перезвонит».
    """
    from speechlytics.cli._table import as_text
    from speechlytics.search import search as find
    from speechlytics.search import unsearchable_days

    opened = open_store(store)
    found = find(
        opened,
        " ".join(words),
        since=since,
        until=until,
        role=role,
        language=language,
        limit=limit,
    )
    _warn(unsearchable_days(opened, since, until))
    if as_json:
        columns = (
            "call_id", "started_local", "role", "start_ms", "end_ms", "text", "marks",
            "recording_uri",
        )  # fmt: skip
        rows = [tuple(getattr(moment, name) for name in columns) for moment in found]
        typer.echo(as_text(columns, rows, "json"))
        return
    if not found:
        typer.echo("nobody said that")
        return
    header = ("call", "started", "at", "who", "said")
    shown = [
        (m.call_id, f"{m.started_local:%Y-%m-%d %H:%M}", _clock(m.start_ms), m.role, m.marked())
        for m in found
    ]
    typer.echo(as_text(header, shown, "table"))
    if len(found) == limit and sys.stderr.isatty():
        typer.echo(f"the newest {limit}; more with --limit", err=True)


def _warn(days: Sequence[date]) -> None:
    if days:
        typer.echo(
            f"{len(days)} days, {days[0]} to {days[-1]}, were published before there was a search "
            "index and were not looked through; build it with: speechlytics rescore",
            err=True,
        )


def _clock(at_ms: int) -> str:
    minutes, seconds = divmod(at_ms // MS_PER_S, 60)
    return f"{minutes}:{seconds:02d}"
