"""``speechlytics export``: a view as a file that supervisors and other systems take in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from speechlytics.cli._app import app, example
from speechlytics.cli._places import StoreOption, store_path


@app.command(
    epilog=example(
        "speechlytics export silence-alerts --new --out alerts.csv",
        "speechlytics export unresolved --format xlsx --since 2026-11-01 --out unresolved.xlsx",
        "speechlytics export daily_kpis --format parquet --out kpis.parquet",
    )
)
def export(
    what: Annotated[
        str, typer.Argument(help="silence-alerts, unresolved, or the name of any view.")
    ],
    out: Annotated[Path, typer.Option(help="File to write.")],
    form: Annotated[
        Literal["csv", "jsonl", "xlsx", "parquet"] | None,
        typer.Option("--format", help="Form of the file; by default from its ending."),
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Calls since this day.")
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Calls until this day, included.")
    ] = None,
    new: Annotated[
        bool, typer.Option("--new", help="Only rows never exported to this file before.")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Write a view to a file, whole or not at all."""
    from speechlytics.export import export as write
    from speechlytics.store import Store

    done = write(
        Store(store_path(store)),
        what,
        out,
        form=form,
        since=since.date() if since else None,
        until=until.date() if until else None,
        new=new,
    )
    typer.echo(f"{done.rows} rows to {done.path}" if done.path else "nothing new")
