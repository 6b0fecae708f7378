"""``speechlytics forget``: erase a customer's or a call's data."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechlytics import config
from speechlytics.cli._app import app, example
from speechlytics.cli._options import AsJson
from speechlytics.cli._places import PIPELINE_FILE, StoreOption, store_section
from speechlytics.errors import ConfigError

if TYPE_CHECKING:
    from speechlytics.nightly import Erasure


@app.command(
    epilog=example(
        "speechlytics forget --customer +79161234567",
        "speechlytics forget --call 1732263000.17 --dry-run",
        "speechlytics forget --customer 8b1a9953c4611296a827abf8c47804d7 --yes --json",
    )
)
def forget(
    customer: Annotated[
        list[str] | None,
        typer.Option(help="Number or other id of a customer, or the customer_key of a call."),
    ] = None,
    call: Annotated[
        list[str] | None, typer.Option(help="A call by its id; may be given several times.")
    ] = None,
    recordings: Annotated[
        bool, typer.Option("--recordings", help="Delete their recordings on this machine, too.")
    ] = False,
    region: Annotated[
        str | None, typer.Option(help="Country of short numbers; else as in the pipeline file.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Erase a person's or a call's data from every table, cache and export memory, for good.

    Rows are deleted, then every superseded file and log entry. What was forgotten does not come
    back while its recording is still in the source; a customer's later calls come in. Recordings,
    their metadata in the source, files exported earlier, logs and backups are not the store's:
    those that are known are listed, and stay.
    """
    from speechlytics import nightly
    from speechlytics.review import cached_of
    from speechlytics.store import Store

    if not all([*(customer or ()), *(call or ())]) or not (customer or call):
        raise ConfigError("give --customer NUMBER or --call ID, neither of them empty")
    section = store_section(store)
    place = region or _region()
    keys = [
        k for one in customer or () for k in nightly.customer_keys(one, section.key_path, place)
    ]
    wanted = nightly.Forgettable(tuple(call or ()), tuple(dict.fromkeys(keys)))
    opened = Store.configured(section)
    if dry_run or not yes:
        planned = nightly.forget(opened, wanted, cached=cached_of, dry_run=True)
        if dry_run:
            _print(planned, as_json)
            return
        _confirm(planned, recordings)
    done = nightly.forget(opened, wanted, cached=cached_of, delete_recordings=recordings)
    _print(done, as_json)


def _region() -> str:
    """The region of this folder's pipeline file, if there is one."""
    path = Path(PIPELINE_FILE)
    return (
        config.load(path).source.region if path.is_file() else config.SourceConfig(path="").region
    )


def _confirm(planned: Erasure, recordings: bool) -> None:
    if not _on_terminal():
        raise ConfigError("forget cannot ask here; give --yes, or --dry-run to see what would go")
    typer.echo(_text(planned), err=True)
    also = " and their recordings" if recordings else ""
    typer.confirm(f"Erase {planned.calls} calls{also}? There is no way back", abort=True, err=True)


def _on_terminal() -> bool:
    return sys.stdin.isatty()


def _print(erasure: Erasure, as_json: bool) -> None:
    report = json.dumps(erasure.as_dict(), ensure_ascii=False, indent=2)
    typer.echo(report if as_json else _text(erasure))


def _text(erasure: Erasure) -> str:
    from speechlytics.cli._table import as_text

    verb = "would be erased" if erasure.dry_run else "erased"
    rows = [(f"rows of {name}", number) for name, number in erasure.rows.items()]
    rows += list(erasure.files.items())
    lines = [f"{erasure.calls} stored calls {verb}", as_text(("what", "erased"), rows, "table")]
    for title, listed in (
        ("Recordings deleted", erasure.recordings_deleted),
        ("Recordings, which stay where they are", erasure.recordings),
        ("Screen captures, which stay where they are", erasure.screens),
        ("Files of earlier exports, which may hold these calls and stay", erasure.exports),
    ):
        if listed:
            lines += [f"{title}:", *(f"  {uri}" for uri in listed)]
    return "\n".join(lines)
