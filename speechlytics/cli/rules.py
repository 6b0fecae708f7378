"""``speechlytics rules``: validate phrase packs and try them on a text."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from speechlytics.cli._app import EXIT_USAGE, app, example
from speechlytics.cli._options import AsJson

rules = typer.Typer(help="Validate phrase packs, try them, compare them.", no_args_is_help=True)
app.add_typer(rules, name="rules")

Packs = Annotated[
    list[Path] | None,
    typer.Option("--packs", help="Folder of packs; the shipped ones by default."),
]


@rules.command(epilog=example("speechlytics rules check", "speechlytics rules check phrases"))
def check(
    folder: Annotated[
        Path | None, typer.Argument(help="Folder of packs; the shipped ones by default.")
    ] = None,
) -> None:
    """Check every rule: keys, cycles, windows, and its own examples and counter-examples."""
    from speechlytics.phrases import check as problems_of
    from speechlytics.phrases import load_packs, shipped_packs_folder

    where = folder or shipped_packs_folder()
    problems = problems_of(where)
    for problem in problems:
        typer.echo(str(problem), err=True)
    if problems:
        typer.echo(f"{len(problems)} problems in {where}", err=True)
        raise typer.Exit(EXIT_USAGE)
    typer.echo(f"{len(load_packs([where]).rules)} rules in {where}: all well")


@rules.command(
    "test",
    epilog=example(
        'speechlytics rules test "Я вам перезвоню завтра" --role agent --language ru',
        'speechlytics rules test "it still does not work" --language en --packs phrases',
    ),
)
def try_text(
    text: Annotated[str, typer.Argument(help="What somebody says.")],
    role: Annotated[
        Literal["agent", "customer", "ivr", "unknown"], typer.Option(help="Who says it.")
    ] = "customer",
    language: Annotated[str, typer.Option(help="Language, ISO 639-1.")] = "ru",
    packs: Packs = None,
    as_json: AsJson = False,
) -> None:
    """Show which rules fire on a text."""
    from speechlytics.cli._table import as_text
    from speechlytics.phrases import load_packs, test_text

    hits = test_text(load_packs(packs), text, role, language)
    columns = ("rule_id", "category", "matched_text", "match_kind", "score", "pack")
    rows = [tuple(getattr(hit, name) for name in columns) for hit in hits]
    if as_json:
        typer.echo(as_text(columns, rows, "json"))
    elif rows:
        typer.echo(as_text(columns, rows, "table"))
    else:
        typer.echo("no rule fires")
