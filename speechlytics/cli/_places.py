"""Where a command finds its store: ``--store``, the environment, or the folder's pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from speechlytics import config
from speechlytics.errors import ConfigError

PIPELINE_FILE = "pipeline.toml"
STORE_VARIABLE = "SPEECHLYTICS_STORE"

StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        help=f"Store; else ${STORE_VARIABLE}, else the {PIPELINE_FILE} of this folder.",
    ),
]


def store_path(option: Path | None) -> Path:
    """Path of the store that a command means.

    Raises:
        ConfigError: none was named and this folder has no pipeline file.
    """
    if option is not None:
        return option
    if named := os.environ.get(STORE_VARIABLE):
        return Path(named)
    pipeline = Path(PIPELINE_FILE)
    if pipeline.is_file():
        return Path(config.load(pipeline).store.path)
    raise ConfigError(
        f"no store: give --store PATH, set {STORE_VARIABLE}, or run this in a folder with a "
        f"{PIPELINE_FILE} (`speechlytics init DIR` makes one)"
    )
