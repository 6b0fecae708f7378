"""Where a command finds its store: ``--store``, the environment, or the folder's pipeline."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from speechlytics import config
from speechlytics.errors import ConfigError

if TYPE_CHECKING:
    from speechlytics.store import Store

PIPELINE_FILE = "pipeline.toml"
STORE_VARIABLE = "SPEECHLYTICS_STORE"

StoreOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="PATH",
        help=f"Store; else ${STORE_VARIABLE}, else the {PIPELINE_FILE} of this folder.",
    ),
]


def store_path(option: str | None) -> str:
    """Absolute path, or URL, of the store that a command means.

    Raises:
        ConfigError: none was named and this folder has no pipeline file.
    """
    return store_section(option).path


def open_store(option: str | None) -> Store:
    """The store that a command means, with what the pipeline file says of reaching it.

    Raises:
        ConfigError: none was named and this folder has no pipeline file.
    """
    from speechlytics.store import Store

    return Store.configured(store_section(option))


def absolute(path: str) -> str:
    """A path made absolute; a URL is one already."""
    return path if "://" in path else str(Path(path).expanduser().absolute())


def store_section(option: str | None) -> config.StoreConfig:
    """Section ``[store]`` that a command means.

    Raises:
        ConfigError: none was named and this folder has no pipeline file.
    """
    named = option or os.environ.get(STORE_VARIABLE) or None
    pipeline = Path(PIPELINE_FILE)
    if named is None and not pipeline.is_file():
        raise ConfigError(
            f"no store: give --store PATH, set {STORE_VARIABLE}, or run this in a folder with a "
            f"{PIPELINE_FILE} (`speechlytics init DIR` makes one)"
        )
    if named is None:
        return config.load(pipeline).store
    return config.StoreConfig(path=absolute(named))
