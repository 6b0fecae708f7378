"""``speechlytics run`` and ``status``: the nightly job and how it went."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from speechlytics import config
from speechlytics.cli._app import EXIT_ERROR, EXIT_FAILED_CALLS, app, example
from speechlytics.cli._options import AsJson, Day, Since
from speechlytics.cli._places import (
    PIPELINE_FILE,
    StoreOption,
    absolute,
    open_store,
    store_path,
)
from speechlytics.errors import ConfigError

if TYPE_CHECKING:
    from speechlytics.nightly import Progress, Selection

DRY_RUN_SHOWS = 20


@app.command(
    epilog=example(
        "speechlytics run pipeline.toml",
        "speechlytics run --source recordings --store store --language ru",
        "speechlytics run --since 2026-11-01 --no-transcribe --dry-run",
    )
)
def run(
    pipeline: Annotated[
        Path | None, typer.Argument(help=f"Pipeline file; else {PIPELINE_FILE} of this folder.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Folder, glob or URL of recordings.")] = None,
    store: StoreOption = None,
    model: Annotated[str | None, typer.Option(help="Speech model, by name or folder.")] = None,
    language: Annotated[
        list[str] | None, typer.Option(help="Allowed language; may be given several times.")
    ] = None,
    day: Day = None,
    since: Since = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many calls.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Decoding processes; 0 = one per core.")
    ] = None,
    runner: Annotated[
        Literal["local", "ray"] | None, typer.Option(help="Where the work is done.")
    ] = None,
    transcribe: Annotated[
        bool, typer.Option("--transcribe/--no-transcribe", help="Acoustic stages only, or all.")
    ] = True,
    retry_failed: Annotated[bool, typer.Option(help="Try failed calls again.")] = False,
    dry_run: Annotated[bool, typer.Option(help="Only say what would be done.")] = False,
    as_json: AsJson = False,
) -> None:
    """Do the nightly job: every recording not yet done, or whose inputs or settings changed.

    Exit code: 0 all done, 3 done but some calls failed, 2 bad usage or configuration, 4 another
    run is at work, 1 anything else.
    """
    from speechlytics import nightly

    settings = _overridden(
        _pipeline(pipeline, source, store),
        model=model,
        languages=language,
        workers=workers,
        runner=runner,
        transcribe=transcribe,
    )
    selection = nightly.Selection(
        day=day,
        since=since,
        limit=limit,
        retry_failed=retry_failed,
    )
    if dry_run:
        _dry_run(settings, selection, as_json)
        return
    with _stoppable(), show_progress() as progress:
        report = nightly.run(settings, selection, progress=progress)
    typer.echo(json.dumps(report.as_dict(), ensure_ascii=False) if as_json else report.as_text())
    if report.failed:
        raise typer.Exit(EXIT_FAILED_CALLS)


@app.command(epilog=example("speechlytics status", "speechlytics status --json"))
def status(
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Show the last runs, what is waiting, what failed and why."""
    from speechlytics.cli._table import as_text
    from speechlytics.store import connect

    connection = connect(open_store(store))
    runs = connection.execute(
        "SELECT run_id, started_at, finished_at, status, counts, model_id, host "
        "FROM runs ORDER BY started_at DESC LIMIT 5"
    )
    run_columns = [column[0] for column in runs.description or ()]
    run_rows = runs.fetchall()
    failures = connection.execute("FROM failures LIMIT 50")
    failure_columns = [column[0] for column in failures.description or ()]
    failure_rows = failures.fetchall()
    waiting = _waiting()
    if as_json:
        document = {
            "runs": [dict(zip(run_columns, row, strict=True)) for row in run_rows],
            "failures": [dict(zip(failure_columns, row, strict=True)) for row in failure_rows],
            "waiting": waiting,
        }
        typer.echo(json.dumps(document, ensure_ascii=False, default=str, indent=2))
        return
    typer.echo("Last runs\n" + as_text(run_columns, run_rows, "table"))
    if waiting is not None:
        typer.echo(f"\nWaiting: {waiting} calls (speechlytics run)")
    if failure_rows:
        typer.echo("\nFailed calls\n" + as_text(failure_columns, failure_rows, "table"))
        typer.echo("Try them again with: speechlytics run --retry-failed")


def _waiting() -> int | None:
    """Calls that a run would do now; ``None`` without a pipeline file in this folder."""
    from speechlytics import nightly
    from speechlytics.store import Store

    path = Path(PIPELINE_FILE)
    if not path.is_file():
        return None
    settings = config.load(path)
    night = nightly.open_night(settings)
    planned = nightly.tasks(night, Store.configured(settings.store), nightly.Selection())
    return sum(task.action != "nothing" for task in planned)


def _pipeline(pipeline: Path | None, source: str | None, store: str | None) -> config.Config:
    """The pipeline that the arguments mean.

    Raises:
        ConfigError: neither a pipeline file nor a source and a store were given.
    """
    if source is not None:
        if pipeline is not None:
            raise ConfigError("give either a pipeline file or --source, not both")
        where = absolute(source)
        target = store_path(store)
        return config.Config(
            source=config.SourceConfig(
                path=where, metadata=(config.MetadataSource(kind="sidecar"),)
            ),
            store=config.StoreConfig(path=target),
        )
    path = pipeline or Path(PIPELINE_FILE)
    if pipeline is None and not path.is_file():
        raise ConfigError(
            f"no {PIPELINE_FILE} in this folder; name one, or give --source DIR --store DIR "
            "(`speechlytics init DIR` makes a project folder)"
        )
    loaded = config.load(path)
    if store is None:
        return loaded
    return config.replace(loaded, store=config.replace(loaded.store, path=absolute(store)))


def _overridden(
    settings: config.Config,
    *,
    model: str | None,
    languages: list[str] | None,
    workers: int | None,
    runner: Literal["local", "ray"] | None,
    transcribe: bool,
) -> config.Config:
    """Options of the command line win over the file."""
    speech = settings.transcribe
    if model is not None:
        speech = config.replace(speech, model=model)
    if languages:
        speech = config.replace(speech, languages=tuple(languages))
    job = settings.run
    if workers is not None:
        job = config.replace(job, workers=workers)
    if runner is not None:
        job = config.replace(job, runner=runner)
    if not transcribe:
        job = config.replace(job, transcribe=False)
    return config.replace(settings, transcribe=speech, run=job)


def _dry_run(settings: config.Config, selection: Selection, as_json: bool) -> None:
    from collections import Counter

    from speechlytics import nightly
    from speechlytics.cli._table import as_text
    from speechlytics.store import Store

    night = nightly.open_night(settings)
    planned = list(nightly.tasks(night, Store.configured(settings.store), selection))
    rows = [
        (task.recording.call_id, task.action, task.why, task.recording.problem or "")
        for task in planned
        if task.action != "nothing"
    ]
    columns = ("call_id", "action", "why", "problem")
    if as_json:
        typer.echo(as_text(columns, rows, "json"))
        return
    counts = Counter(task.action for task in planned)
    typer.echo(as_text(columns, rows[:DRY_RUN_SHOWS], "table"))
    if len(rows) > DRY_RUN_SHOWS:
        typer.echo(f"… and {len(rows) - DRY_RUN_SHOWS} more")
    said = ", ".join(f"{number} {action}" for action, number in sorted(counts.items()))
    typer.echo(f"Dry run, nothing was changed: {said or 'no calls found'}")


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM stop a run as Ctrl-C does: finished calls stay spooled, the next run goes on."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        typer.echo("speechlytics: stopped; finished calls are kept, run again to go on", err=True)
        raise typer.Exit(EXIT_ERROR) from None
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def show_progress() -> Iterator[Progress | None]:
    """A progress line on stderr when it is a terminal; log lines elsewhere."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        line = bar.add_task("starting", total=None)

        def show(finished: int, call_id: str) -> None:
            bar.update(line, description=f"{finished} calls done, last {call_id}")

        yield show
