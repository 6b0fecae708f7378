"""``speechlytics export``: a view as a file that supervisors and other systems take in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechlytics.cli._app import app, example
from speechlytics.cli._options import Since, Until
from speechlytics.cli._places import StoreOption, open_store
from speechlytics.errors import ConfigError


@app.command(
    epilog=example(
        "speechlytics export silence-alerts --new --out alerts.csv",
        "speechlytics export unresolved --format xlsx --since 2026-11-01 --out unresolved.xlsx",
        "speechlytics export daily_kpis --format parquet --out kpis.parquet",
        "speechlytics export vcon --call 1732263000.17 --out vcons",
    )
)
def export(
    what: Annotated[
        str, typer.Argument(help="silence-alerts, unresolved, vcon, or the name of any view.")
    ],
    out: Annotated[Path, typer.Option(help="File to write; of vcon the folder.")],
    form: Annotated[
        Literal["csv", "jsonl", "xlsx", "parquet"] | None,
        typer.Option("--format", help="Form of the file; by default from its ending."),
    ] = None,
    since: Since = None,
    until: Until = None,
    new: Annotated[
        bool, typer.Option("--new", help="Only rows never exported to this file before.")
    ] = False,
    call: Annotated[
        list[str] | None, typer.Option(help="Only this call (vcon); may be given several times.")
    ] = None,
    inline: Annotated[
        bool, typer.Option("--inline", help="Put recordings into the files (vcon).")
    ] = False,
    store: StoreOption = None,
) -> None:
    """Write a view to a file, or calls to vCon files, each whole or not at all."""
    from speechlytics.export import export as write

    if what == "vcon":
        if form is not None or new:
            raise ConfigError("export vcon takes neither --format nor --new")
        from speechlytics import nightly

        files = nightly.export_vcons(
            open_store(store), out, call_ids=call or (), since=since, until=until, inline=inline
        )
        typer.echo(f"{len(files)} calls to {out}")
        return
    if call or inline:
        raise ConfigError("--call and --inline are for `export vcon`")
    done = write(
        open_store(store),
        what,
        out,
        form=form,
        since=since,
        until=until,
        new=new,
    )
    typer.echo(f"{done.rows} rows to {done.path}" if done.path else "nothing new")
