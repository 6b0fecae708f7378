"""``speechlytics demo``: the whole main job on the shipped calls, and how to read its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from speechlytics import config
from speechlytics.cli._app import EXIT_ERROR, app, example
from speechlytics.shipped import shipped

if TYPE_CHECKING:
    import duckdb

EVIDENCE = """
SELECT u.call_id, c.started_local, c.queue, c.agent_id, u.score, u.reasons, u.repeat_confirmed
FROM unresolved_calls AS u JOIN calls AS c USING (call_id)
ORDER BY u.score DESC, u.call_id
"""
ALERTS = """
SELECT severity, call_id, start_ms, duration_ms, kind, announced, before_text, after_text, harm
FROM silence_alerts ORDER BY harm DESC, duration_ms DESC, call_id LIMIT 8
"""


@app.command(epilog=example("speechlytics demo", "speechlytics demo /tmp/try"))
def demo(
    folder: Annotated[Path, typer.Argument(help="Folder for the results; made if need be.")] = Path(
        "speechlytics-demo"
    ),
) -> None:
    """Run the main job on the calls and the model shipped in the package. No network."""
    from speechlytics import nightly
    from speechlytics.cli.run import show_progress
    from speechlytics.store import connect

    shipped_demo = config.load(shipped("pipelines") / "demo" / "pipeline.toml")
    store = folder.absolute() / "store"
    settings = config.replace(shipped_demo, store=config.StoreConfig(path=str(store)))
    typer.echo(
        "Generated calls, a real night: decode, webrtcvad, Whisper (the small demo model), "
        "phrases, Parquet, DuckDB.\n"
    )
    with show_progress() as progress:
        report = nightly.run(settings, nightly.Selection(), progress=progress)
    typer.echo(report.as_text() + "\n")
    connection = connect(store)
    _unresolved(connection)
    _alerts(connection)
    typer.echo(_next_steps(_shown(folder / "store")))
    if report.failed:
        raise typer.Exit(EXIT_ERROR)


def _unresolved(connection: duckdb.DuckDBPyConnection) -> None:
    total = connection.execute("SELECT count(*) FROM calls WHERE status = 'ok'").fetchone()
    rows = connection.execute(EVIDENCE).fetchall()
    typer.echo(f"UNRESOLVED: {len(rows)} of {total[0] if total else 0} calls, worst first\n")
    for call_id, started, queue, agent, score, reasons, confirmed in rows:
        again = "; the customer called again" if confirmed else ""
        typer.echo(f"{score:5.1f}  {call_id}  {started:%d %b %H:%M}, {queue}, agent {agent}{again}")
        for reason in reasons:
            typer.echo(_evidence(reason))
        typer.echo("")


def _evidence(reason: dict[str, Any]) -> str:
    at = "     " if reason["start_ms"] is None else clock(reason["start_ms"])
    role = reason["role"] or ""
    quote = f"«{reason['quote']}»" if reason["quote"] else ""
    return f"      {reason['weight']:+5.1f}  {at}  {role:<9}{reason['reason']:<24}{quote}".rstrip()


def _alerts(connection: duckdb.DuckDBPyConnection) -> None:
    rows = connection.execute(ALERTS).fetchall()
    typer.echo(f"SILENCE ALERTS: the {len(rows)} that hurt most (harm 0 to 1)\n")
    for severity, call_id, start_ms, duration_ms, kind, announced, before, after, harm in rows:
        how = "announced" if announced else "unannounced"
        sound = "hold music" if kind == "hold_music" else "silence"
        typer.echo(
            f"{harm:5.2f}  {severity:<9}{call_id}  {clock(start_ms)}  "
            f"{duration_ms / 1000:.0f} s of {how} {sound}"
        )
        typer.echo(f"       before: {before or '-'}")
        typer.echo(f"       after:  {after or '-'}")
    typer.echo("")


def clock(ms: int) -> str:
    """Time in a call as a listener reads it: minutes and seconds."""
    return f"{ms // 60_000:2d}:{ms // 1000 % 60:02d}"


def _next_steps(store: Path) -> str:
    query = "SELECT * FROM silence_alerts WHERE NOT announced"
    return (
        "Try next\n"
        f'  speechlytics sql --store {store} "{query}"\n'
        f"  speechlytics export unresolved --store {store} --out unresolved.xlsx\n"
        "  speechlytics init my-calls      # a project folder for your own recordings"
    )


def _shown(path: Path) -> Path:
    """The shortest way to write a path from here."""
    try:
        return path.absolute().relative_to(Path.cwd())
    except ValueError:
        return path
