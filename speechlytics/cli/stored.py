"""Commands over what is stored: ``rescore``, ``rules diff``, ``evaluate``, ``import``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechlytics import config
from speechlytics.cli._app import EXIT_FAILED_CALLS, app, example
from speechlytics.cli._options import AsJson, Since
from speechlytics.cli._places import PIPELINE_FILE, StoreOption, open_store, store_section
from speechlytics.cli.rules import Packs, rules

if TYPE_CHECKING:
    from speechlytics.nightly import Taken
    from speechlytics.phrases import PackSet
    from speechlytics.store import Store

imports = typer.Typer(
    help="Bring in conversations and verdicts from elsewhere.", no_args_is_help=True
)
app.add_typer(imports, name="import")

Files = Annotated[list[Path], typer.Argument(help="Files to read.")]
SHOWN_CALLS = 5


def _phrases() -> config.PhrasesConfig:
    """The [phrases] section of this folder's pipeline file, if there is one."""
    path = Path(PIPELINE_FILE)
    return config.load(path).phrases if path.is_file() else config.PhrasesConfig()


def _packs(option: Sequence[Path] | None, phrases: config.PhrasesConfig) -> PackSet:
    from speechlytics.phrases import load_packs

    return load_packs(list(option or map(Path, phrases.packs)) or None)


def _days(store: Store, since: date | None) -> list[date] | None:
    return None if since is None else [day for day in store.days() if day >= since]


@app.command(
    epilog=example(
        "speechlytics rescore", "speechlytics rescore --packs phrases --since 2026-11-01"
    )
)
def rescore(packs: Packs = None, since: Since = None, store: StoreOption = None) -> None:
    """Apply changed phrase packs to stored segments: no audio, no speech model."""
    from speechlytics import nightly

    opened, phrases = open_store(store), _phrases()
    done, current = nightly.rescore(opened, _packs(packs, phrases), phrases, _days(opened, since))
    typer.echo(f"{done} calls scored again, {current} were up to date")


@rules.command(epilog=example("speechlytics rules diff --packs phrases"))
def diff(
    packs: Packs = None, since: Since = None, store: StoreOption = None, as_json: AsJson = False
) -> None:
    """Show which calls changed packs would gain and lose against the stored calls."""
    from speechlytics import nightly
    from speechlytics.cli._table import as_text

    opened, phrases = open_store(store), _phrases()
    changes = nightly.rules_diff(opened, _packs(packs, phrases), phrases, _days(opened, since))
    if as_json:
        rows = [(c.rule_id, c.before, c.after, list(c.gained), list(c.lost)) for c in changes]
        columns = ("rule_id", "before", "after", "gained", "lost")
        typer.echo(as_text(columns, rows, "json"))
        return
    rows_shown = [(c.rule_id, c.before, c.after, _some(c.gained), _some(c.lost)) for c in changes]
    if not rows_shown:
        typer.echo("no rule fires in other calls than before")
        return
    columns = ("rule", "calls before", "calls after", "gains", "loses")
    typer.echo(as_text(columns, rows_shown, "table"))
    touched = nightly.calls_changed(changes)
    typer.echo(f"{len(touched)} calls change; apply with: speechlytics rescore")


def _some(call_ids: Sequence[str]) -> str:
    if len(call_ids) <= SHOWN_CALLS:
        return " ".join(call_ids)
    return " ".join(call_ids[:SHOWN_CALLS]) + f" … and {len(call_ids) - SHOWN_CALLS} more"


@app.command(
    epilog=example(
        "speechlytics evaluate labelled.jsonl",
        "speechlytics evaluate labelled.jsonl --phrases phrase_truth.jsonl --json > figures.json",
    )
)
def evaluate(
    truth: Annotated[Path, typer.Argument(help="Labelled calls, one JSON object a line.")],
    phrases: Annotated[
        Path | None, typer.Option(help="Phrase truth; by default beside the labelled calls.")
    ] = None,
    detail: Annotated[bool, typer.Option(help="Also per category and per rule.")] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Measure the stored results against labelled calls, with confidence intervals."""
    from speechlytics.evaluate import evaluate as measure
    from speechlytics.evaluate import read_truth, tables_from_store
    from speechlytics.store import connect

    labelled = read_truth(truth, phrases)
    ids = [call.call_id for call in labelled]
    report = measure(labelled, tables_from_store(connect(open_store(store)), ids))
    if as_json:
        typer.echo(report.to_json())
        return
    from rich.console import Console

    console = Console()
    for table in report.tables(detail=detail):
        console.print(table)
    if report.missing:
        typer.echo(f"{len(report.missing)} labelled calls are not in the store", err=True)


@imports.command(
    "transcripts",
    epilog=example(
        "speechlytics import transcripts calls.jsonl --store store",
        "speechlytics import transcripts call7.srt --speaker Anna=agent --speaker Kunde=customer",
    ),
)
def import_transcripts(
    files: Files,
    speaker: Annotated[
        list[str] | None, typer.Option(help="LABEL=ROLE, for labels that are not understood.")
    ] = None,
    text_key: Annotated[str, typer.Option(help="Field of a JSON turn with its words.")] = "text",
    zone: Annotated[str, typer.Option(help="Time zone of the contact centre.")] = "Europe/Moscow",
    region: Annotated[str, typer.Option(help="Country of short phone numbers.")] = "RU",
    packs: Packs = None,
    store: StoreOption = None,
) -> None:
    """Take in conversations transcribed elsewhere: JSON lines, Whisper JSON, SRT, VTT."""
    from speechlytics import nightly
    from speechlytics.store import Store

    section, phrases = store_section(store), _phrases()
    taken = nightly.import_transcripts(
        Store.configured(section),
        files,
        _packs(packs, phrases),
        nightly.Reading(
            zone=zone,
            region=region,
            speakers=nightly.parse_speakers(speaker or []),
            text_key=text_key,
        ),
        key_file=section.key_path,
        config=phrases,
    )
    _say(taken, "calls")


@imports.command(
    "vcon",
    epilog=example(
        "speechlytics import vcon call7.vcon --store store",
        "speechlytics import vcon vcons/*.vcon --speaker support@example.org=agent --fetch",
    ),
)
def import_vcon(
    files: Files,
    speaker: Annotated[
        list[str] | None,
        typer.Option(help="NAME=ROLE, for parties (by name or address) that state no role."),
    ] = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch recordings over http and https.")
    ] = False,
    transcribe: Annotated[
        bool, typer.Option("--transcribe", help="Transcribe even what brings its transcript.")
    ] = False,
    model: Annotated[str | None, typer.Option(help="Speech model, by name or folder.")] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the contact centre.")] = None,
    region: Annotated[str | None, typer.Option(help="Country of short phone numbers.")] = None,
    packs: Packs = None,
    store: StoreOption = None,
) -> None:
    """Take in vCon conversations (0.4.0): recordings, text dialogs, transcripts.

    A recording without a transcript goes through every stage, the speech model included; one
    with a transcript is measured and keeps its words. Settings come from the pipeline.toml of
    this folder where there is one.
    """
    from speechlytics import nightly

    path = Path(PIPELINE_FILE)
    target = store_section(store)
    if path.is_file():
        settings = config.load(path)
        if store is not None:
            settings = config.replace(settings, store=target)
    else:
        settings = config.Config(source=config.SourceConfig(path=str(Path.cwd())), store=target)
    source = settings.source
    source = config.replace(source, zone=zone or source.zone, region=region or source.region)
    settings = config.replace(settings, source=source)
    if model is not None:
        speech = config.replace(settings.transcribe, model=model)
        settings = config.replace(settings, transcribe=speech)
    if packs:
        phrases = config.replace(settings.phrases, packs=tuple(str(p) for p in packs))
        settings = config.replace(settings, phrases=phrases)
    reading = nightly.VconReading(
        speakers=nightly.parse_speakers(speaker or []), fetch=fetch, transcribe=transcribe
    )
    _say(nightly.import_vcons(settings, files, reading), "calls")


@imports.command(
    "reviews", epilog=example("speechlytics import reviews verdicts.csv --store store")
)
def import_reviews(files: Files, store: StoreOption = None) -> None:
    """Take in QA verdicts from CSV or JSON lines: call_id, verdict, reviewer, reason, note."""
    from speechlytics import nightly

    _say(nightly.import_reviews(open_store(store), files), "verdicts")


def _say(taken: Taken, what: str) -> None:
    for refusal in taken.refused:
        typer.echo(f"refused: {refusal}", err=True)
    typer.echo(json.dumps({what: taken.taken, "refused": len(taken.refused)}))
    if taken.refused:
        raise typer.Exit(EXIT_FAILED_CALLS)
