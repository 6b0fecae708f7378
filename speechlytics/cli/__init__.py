"""The command line: a thin shell over the package. Every command has help and an example."""

from __future__ import annotations

from speechlytics.cli import (
    calibrate,
    demo,
    doctor,
    export,
    forget,
    init,
    models,
    review,
    rules,
    run,
    screens,
    search,
    sql,
    stored,
)
from speechlytics.cli._app import app, main

__all__ = [
    "app",
    "calibrate",
    "demo",
    "doctor",
    "export",
    "forget",
    "init",
    "main",
    "models",
    "review",
    "rules",
    "run",
    "screens",
    "search",
    "sql",
    "stored",
]
