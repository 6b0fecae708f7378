"""``speechlytics calibrate``: weights as QA's verdicts would have them."""

from __future__ import annotations

from dataclasses import asdict

import typer

from speechlytics.cli._app import app, example
from speechlytics.cli._options import AsJson
from speechlytics.cli._places import StoreOption, open_store


@app.command(
    epilog=example("speechlytics calibrate", "speechlytics calibrate --json > weights.json")
)
def calibrate(
    store: StoreOption = None,
    as_json: AsJson = False,
) -> None:
    """Propose new reason weights from verdicts: prints the change, applies nothing.

    Needs scikit-learn (`pip install 'speechlytics[calibrate]'`) and verdicts of both kinds
    (`speechlytics import reviews`).
    """
    import json

    from speechlytics.calibrate import propose
    from speechlytics.store import connect

    proposal = propose(connect(open_store(store)))
    if as_json:
        typer.echo(json.dumps(asdict(proposal), ensure_ascii=False, indent=2))
        return
    from rich.console import Console

    Console().print(proposal.table())
