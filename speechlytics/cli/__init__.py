"""The command line: a thin shell over the package. Every command has help and an example."""

from __future__ import annotations

from speechlytics.cli import init
from speechlytics.cli._app import app, main

__all__ = ["app", "init", "main"]
