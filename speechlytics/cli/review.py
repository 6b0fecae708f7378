"""``speechlytics review``: the local QA page."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer

from speechlytics import config
from speechlytics.cli._app import app, example
from speechlytics.cli._places import PIPELINE_FILE, StoreOption, open_store
from speechlytics.errors import ConfigError

PASSWORD_VARIABLE = "SPEECHLYTICS_REVIEW_PASSWORD"  # noqa: S105 - its name, not its value


@app.command(
    epilog=example(
        "speechlytics review",
        "speechlytics review --store store --reviewer anna --port 9000",
        "speechlytics review --host 0.0.0.0 --password-file review.password",
        "speechlytics review --host 10.0.0.5 --user-header X-Remote-User --public-host qa.example",
    )
)
def review(
    store: StoreOption = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8765,
    reviewer: Annotated[
        str | None, typer.Option(help="Who gives the verdicts; by default who is logged in.")
    ] = None,
    user_header: Annotated[
        str | None, typer.Option(help="Header in which a reverse proxy names the user.")
    ] = None,
    password_file: Annotated[
        Path | None, typer.Option(help=f"File with a password; else ${PASSWORD_VARIABLE}.")
    ] = None,
    public_host: Annotated[
        list[str] | None, typer.Option(help="Name under which browsers reach the page.")
    ] = None,
    unmasked: Annotated[
        list[str] | None,
        typer.Option(help="User who sees numbers and addresses in texts; * for everybody."),
    ] = None,
    no_sql: Annotated[bool, typer.Option("--no-sql", help="Do not offer the SQL page.")] = False,
    https: Annotated[
        bool, typer.Option("--https", help="Browsers come by HTTPS: send cookies by it only.")
    ] = False,
) -> None:
    """Open the QA page: hear and see why a call is in doubt, and give a verdict."""
    from speechlytics.review import ReviewSettings, serve

    pipeline = Path(PIPELINE_FILE)
    audio = config.load(pipeline).audio if pipeline.is_file() else config.AudioConfig()
    settings = ReviewSettings(
        store=open_store(store),
        host=host,
        port=port,
        reviewer=reviewer or getpass.getuser(),
        user_header=user_header,
        password=_password(password_file),
        public_hosts=tuple(public_host or ()),
        unmasked=tuple(unmasked or ()),
        sql_box=not no_sql,
        secure_cookies=https,
        audio=audio,
    )
    settings.check()
    shown = f"[{host}]" if ":" in host else host
    typer.echo(f"http://{shown}:{port}/  (Ctrl-C ends it)", err=True)
    serve(settings)


def _password(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get(PASSWORD_VARIABLE) or None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: cannot be read: {error}") from error
