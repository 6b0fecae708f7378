"""``speechlytics init``: a project folder that explains itself."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

from speechlytics.cli._app import app, example
from speechlytics.cli._places import PIPELINE_FILE
from speechlytics.errors import ConfigError
from speechlytics.shipped import shipped

GITIGNORE = """\
# recordings, results and the key of the customer pseudonyms never go into version control
recordings/
store/
exports/
*.key
"""


@app.command(epilog=example("speechlytics init calls && cd calls && speechlytics run --dry-run"))
def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make; may exist, never overwritten.")],
) -> None:
    """Make a working project folder: pipeline file, phrase packs, .gitignore."""
    pipeline = folder / PIPELINE_FILE
    if pipeline.exists():
        raise ConfigError(f"{pipeline} exists already; choose another folder or edit it")
    folder.mkdir(parents=True, exist_ok=True)
    packs = folder / "phrases"
    if not packs.exists():
        shutil.copytree(shipped("pipelines") / "phrases", packs)
    text = (shipped("pipelines") / "nightly.toml").read_text(encoding="utf-8")
    pipeline.write_text(text.replace("# packs = ", "packs = "), encoding="utf-8")
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text(GITIGNORE, encoding="utf-8")
    (folder / "recordings").mkdir(exist_ok=True)
    typer.echo(
        f"Made {folder}/ with {PIPELINE_FILE}, phrases/ and recordings/.\n"
        f"Next: put recordings into {folder}/recordings, read {pipeline}, then\n"
        f"  cd {folder} && speechlytics doctor && speechlytics run"
    )
