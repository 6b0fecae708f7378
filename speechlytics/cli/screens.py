"""``speechlytics screens``: the small screen recorder."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Annotated, Literal

import typer

from speechlytics.cli._app import app, example

screens = typer.Typer(help="Screen captures: a small recorder.", no_args_is_help=True)
app.add_typer(screens, name="screens")


@screens.callback()
def _group() -> None:
    """Screen captures: a small recorder."""


@screens.command(
    epilog=example(
        "speechlytics screens record --agent A07 --every 2s --out captures",
        "speechlytics screens record --agent A07 --out S:\\captures --pause-file C:\\crm\\paying "
        "--keep-days 14 --max-mb 5000",
    )
)
def record(
    agent: Annotated[
        str, typer.Option(help="Agent's id as in the calls' metadata; captures are joined by it.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of all captures; each agent gets one in it.")],
    every: Annotated[str, typer.Option(help="Time between two looks: 2s, 500ms.")] = "2s",
    pause_file: Annotated[
        Path | None,
        typer.Option(
            help="Nothing is captured while this file exists: create it before a password or a "
            "card number is on the screen.  [default: OUT/AGENT/pause]",
            show_default=False,
        ),
    ] = None,
    monitor: Annotated[
        list[int] | None, typer.Option(help="Monitor to record, from 1; repeatable; else all.")
    ] = None,
    form: Annotated[
        Literal["webp", "png", "jpeg"],
        typer.Option("--format", help="Picture format; webp and png are lossless."),
    ] = ("webp"),
    quality: Annotated[int, typer.Option(min=1, max=100, help="Quality of jpeg.")] = 80,
    threshold: Annotated[
        float,
        typer.Option(
            min=0, max=100, help="Percent of the screen that must change for a picture to be kept."
        ),
    ] = 0.05,
    keep_days: Annotated[
        float, typer.Option(min=0, help="Delete this agent's older pictures; 0 keeps them.")
    ] = 30,
    max_mb: Annotated[
        float,
        typer.Option(min=0, help="Delete this agent's oldest pictures above this; 0: no limit."),
    ] = 10_000,
) -> None:
    """Record an agent's screen: one picture whenever it has changed, until stopped (Ctrl-C).

    Pictures are named by agent and UTC time; `[source.screens]` in the pipeline file joins them
    to the agent's calls.
    """
    from speechlytics.screens import Recorder, RecorderSettings, duration_s

    recorder = Recorder(
        RecorderSettings(
            agent_id=agent,
            folder=out.absolute(),
            every_s=duration_s(every),
            pause_file=pause_file.absolute() if pause_file else None,
            monitors=tuple(monitor or ()),
            form=form,
            quality=quality,
            min_change_share=threshold / 100,
            keep_days=keep_days or None,
            max_mb=max_mb or None,
        )
    )
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):  # the last is Windows' own
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: recorder.stop())
    recorder.run()
