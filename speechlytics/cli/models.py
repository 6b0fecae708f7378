"""``speechlytics models``: Whisper models known to the project, and where they are."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from msgspec import structs

from speechlytics.cli._app import EXIT_ERROR, app, example
from speechlytics.cli._options import AsJson
from speechlytics.errors import ModelMissing

models = typer.Typer(help="Speech models: list, show, fetch, check.", no_args_is_help=True)
app.add_typer(models, name="models")

Name = Annotated[str, typer.Argument(help="Name in the registry, or a folder.")]


@models.command("list", epilog=example("speechlytics models list"))
def list_(as_json: AsJson = False) -> None:
    """List the models that the project knows, their size, languages and licence."""
    from speechlytics.cli._table import as_text
    from speechlytics.transcribe import list_models

    columns = ("name", "here", "size_mb", "languages", "licence", "hardware")
    rows = [
        (
            row.name,
            "yes" if _here(row.name) else "no",
            row.size_mb,
            " ".join(row.languages) if len(row.languages) < 12 else f"{len(row.languages)}",
            row.licence,
            row.hardware,
        )
        for row in list_models()
    ]
    typer.echo(as_text(columns, rows, "json" if as_json else "table"))


@models.command(epilog=example("speechlytics models show large-v3-turbo"))
def show(name: Name, as_json: AsJson = False) -> None:
    """Show all that is known of one model, and where it lies on this machine."""
    from speechlytics.cli._table import as_text
    from speechlytics.transcribe import find, resolve

    row = find(name)
    facts: dict[str, object] = {} if row is None else structs.asdict(row)
    try:
        facts["path"] = str(resolve(name))
    except ModelMissing as error:
        facts["path"] = None
        facts["how_to_get_it"] = str(error)
    rows = [(key, value) for key, value in facts.items() if value not in (None, (), {})]
    typer.echo(as_text(("what", "value"), rows, "json" if as_json else "table"))


@models.command(epilog=example("speechlytics models fetch large-v3-turbo"))
def fetch(name: Name) -> None:
    """Download a model into the Hugging Face cache (the only command that needs a network)."""
    from speechlytics.transcribe import fetch as download

    typer.echo(f"{name} is in {download(name)}")


@models.command(epilog=example("speechlytics models check demo"))
def check(name: Name = "demo", as_json: AsJson = False) -> None:
    """Check a model: files and hashes, whether it loads, whether it hears the reference clip."""
    from speechlytics.cli._table import as_text
    from speechlytics.transcribe import check as look

    found = look(name)
    rows = [(key, value) for key, value in asdict(found).items()]
    typer.echo(as_text(("what", "value"), rows, "json" if as_json else "table"))
    if not found.ok:
        raise typer.Exit(EXIT_ERROR)


def _here(name: str) -> bool:
    from speechlytics.transcribe import resolve

    try:
        resolve(name)
    except ModelMissing:
        return False
    return True
