"""The typer application, its logging options, and how errors become exit codes."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer

from speechlytics import __version__
from speechlytics.errors import ConfigError, SpeechlyticsError, StoreLocked

EXIT_DONE = 0
EXIT_ERROR = 1
EXIT_USAGE = 2
EXIT_FAILED_CALLS = 3
EXIT_LOCKED = 4

app = typer.Typer(
    name="speechlytics",
    help="Find the calls in which the customer's question was left hanging, with evidence.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def example(*commands: str) -> str:
    """Epilog of a command's help: what to type, one command a line."""
    return "Examples:\n\n" + "\n\n".join(f"`{command}`" for command in commands)


class _JsonLines(logging.Formatter):
    """One JSON object a line: what a log collector takes in."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        entry.update(getattr(record, "fields", {}))
        return json.dumps(entry, ensure_ascii=False, default=str)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"speechlytics {__version__}")
        raise typer.Exit


@app.callback()
def configure(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings and errors.")] = False,
    log_format: Annotated[
        Literal["auto", "text", "json"],
        typer.Option(help="Logs on stderr: text on a terminal, JSON lines elsewhere."),
    ] = "auto",
    version: Annotated[  # noqa: ARG001 - its callback answers
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Set up logging before any command runs."""
    level = logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO
    handler = logging.StreamHandler(sys.stderr)
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    if as_json:
        handler.setFormatter(_JsonLines())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    log = logging.getLogger("speechlytics")
    log.handlers[:] = [handler]
    log.setLevel(level)
    log.propagate = False


def main() -> None:
    """Run the program; errors for people go to stderr, the exit code says which kind.

    0 done, 1 an error, 2 bad usage or configuration, 3 done but some calls failed, 4 the
    store is locked by another run.
    """
    try:
        app()
    except StoreLocked as error:
        _fail(error, EXIT_LOCKED)
    except ConfigError as error:
        _fail(error, EXIT_USAGE)
    except SpeechlyticsError as error:
        _fail(error, EXIT_ERROR)
    except BrokenPipeError:
        # the reader of our output went away (`| head`): nothing is wrong
        sys.stderr.close()


def _fail(error: SpeechlyticsError, code: int) -> None:
    typer.echo(f"speechlytics: {error}", err=True)
    sys.exit(code)
