"""The command line: a thin shell over the package. Every command has help and an example."""

from __future__ import annotations

from speechlytics.cli import demo, doctor, export, init, models, rules, run, sql, stored
from speechlytics.cli._app import app, main

__all__ = [
    "app",
    "demo",
    "doctor",
    "export",
    "init",
    "main",
    "models",
    "rules",
    "run",
    "sql",
    "stored",
]
