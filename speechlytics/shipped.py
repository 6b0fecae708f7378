"""Files that travel with the package: models, pipelines, packs, demo calls.

In a checkout they are the top-level folders ``models/`` and ``pipelines/``; a wheel carries
them as ``speechlytics/_models`` and ``speechlytics/_pipelines``.
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal


def shipped(name: Literal["models", "pipelines"]) -> Path:
    """Folder ``models`` or ``pipelines`` of this installation.

    Raises:
        FileNotFoundError: the installation is incomplete.
    """
    package = Path(str(files("speechlytics")))
    for folder in (package / f"_{name}", package.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"{package}: the shipped folder {name!r} is missing; reinstall")
