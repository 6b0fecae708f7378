"""``speechlytics sql`` and ``views``: the store for people who speak SQL."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from speechlytics.cli._app import EXIT_ERROR, app, example
from speechlytics.cli._places import StoreOption, open_store
from speechlytics.errors import ConfigError

if TYPE_CHECKING:
    import duckdb

Format = Literal["table", "csv", "json", "jsonl", "parquet", "markdown"]

PROMPT_HELP = """\
End a statement with ;   FROM unresolved_calls;   FROM long_silences(min_duration_s := 20);
.tables   the views and macros      .describe NAME   the columns of one
.help     this text                 .quit            leave (or Ctrl-D)
"""
OVERVIEW = """
SELECT view_name AS name, 'view' AS kind, comment FROM duckdb_views() WHERE NOT internal
UNION ALL
SELECT function_name, 'macro', comment FROM duckdb_functions()
WHERE NOT internal AND function_type = 'table_macro'
ORDER BY kind DESC, name
"""


@app.command(
    epilog=example(
        'speechlytics sql "FROM unresolved_calls"',
        'speechlytics sql "FROM long_silences(min_duration_s := 20)" --format csv > silences.csv',
        "speechlytics sql -f my_query.sql --format parquet > result.parquet",
    )
)
def sql(
    query: Annotated[str | None, typer.Argument(help="SQL; without one, a prompt opens.")] = None,
    file: Annotated[Path | None, typer.Option("--file", "-f", help="File with SQL.")] = None,
    form: Annotated[Format, typer.Option("--format", help="How to print.")] = "table",
    store: StoreOption = None,
) -> None:
    """Ask the store: every table, view and macro, read-only."""
    from speechlytics.store import connect

    connection = connect(open_store(store))
    if file is not None:
        if query is not None:
            raise ConfigError("give either a query or --file, not both")
        try:
            query = file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"{file}: cannot be read: {error}") from error
    if query is None:
        if not sys.stdin.isatty():
            query = sys.stdin.read()
        else:
            _prompt(connection)
            return
    try:
        _show(connection, query, form)
    except _database_error() as error:
        typer.echo(f"speechlytics: {error}", err=True)
        raise typer.Exit(EXIT_ERROR) from error


@app.command(
    epilog=example(
        "speechlytics views | duckdb",
        "speechlytics views --root /mnt/speech/store > views.sql",
    )
)
def views(
    root: Annotated[
        str | None, typer.Option(help="Where the store is mounted for the client, if elsewhere.")
    ] = None,
    store: StoreOption = None,
) -> None:
    """Print the SQL that sets up every view and macro, to paste into any DuckDB client."""
    from speechlytics.store import views_sql

    typer.echo(views_sql(open_store(store), root=root))


def _show(connection: duckdb.DuckDBPyConnection, query: str, form: Format) -> None:
    if form == "parquet":
        if sys.stdout.isatty():
            raise ConfigError(
                "parquet is binary; send it to a file: … --format parquet > x.parquet"
            )
        import pyarrow.parquet as pq

        pq.write_table(connection.sql(query).to_arrow_table(), sys.stdout.buffer)
        return
    result = connection.execute(query)
    columns = [column[0] for column in result.description or ()]
    rows: list[tuple[Any, ...]] = result.fetchall()
    from speechlytics.cli._table import as_text

    typer.echo(as_text(columns, rows, form))


def _prompt(connection: duckdb.DuckDBPyConnection) -> None:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import WordCompleter
    from prompt_toolkit.history import FileHistory

    names = [row[0] for row in connection.execute(OVERVIEW).fetchall()]
    words = [*names, "SELECT", "FROM", "WHERE", "GROUP BY", "ORDER BY", "LIMIT", "UNNEST"]
    history = Path.home() / ".speechlytics_history"
    session: PromptSession[str] = PromptSession(
        history=FileHistory(str(history)), completer=WordCompleter(words, ignore_case=True)
    )
    typer.echo(PROMPT_HELP)
    pending = ""
    while True:
        try:
            line = session.prompt("speechlytics> " if not pending else "          ...> ")
        except KeyboardInterrupt:
            pending = ""
            continue
        except EOFError:
            return
        if not pending and line.strip().startswith("."):
            if line.strip() in (".quit", ".exit"):
                return
            _dot(connection, line.strip())
            continue
        pending += line + "\n"
        if not pending.strip():
            pending = ""
        elif pending.rstrip().endswith(";"):
            _try(connection, pending)
            pending = ""


def _dot(connection: duckdb.DuckDBPyConnection, line: str) -> None:
    command, _, name = line.partition(" ")
    if command == ".tables":
        _try(connection, OVERVIEW)
    elif command == ".describe" and name:
        _try(connection, f"DESCRIBE FROM {name.strip()}")
    else:
        typer.echo(PROMPT_HELP)


def _try(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    try:
        _show(connection, query, "table")
    except _database_error() as error:
        typer.echo(str(error), err=True)


def _database_error() -> type[Exception]:
    import duckdb

    return duckdb.Error
