"""``speechlytics doctor``: what is installed, what is missing, what to do."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import typer

from speechlytics import __version__, config
from speechlytics.cli._app import EXIT_ERROR, app, example
from speechlytics.cli._options import AsJson
from speechlytics.cli._places import PIPELINE_FILE
from speechlytics.errors import SpeechlyticsError

LIBRARIES = (
    "faster-whisper",
    "ctranslate2",
    "av",
    "webrtcvad-wheels",
    "onnxruntime",
    "rapidfuzz",
    "pymorphy3",
    "PyStemmer",
    "pyarrow",
    "deltalake",
    "duckdb",
    "pebble",
)
MIN_FREE_GB = 5
MIN_MEMORY_GB = 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; ``advice`` says what to do when it is not ``ok``."""

    what: str
    state: Literal["ok", "note", "missing"]
    detail: str
    advice: str = ""


@app.command(epilog=example("speechlytics doctor", "speechlytics doctor --json"))
def doctor(
    pipeline: Annotated[
        Path | None, typer.Argument(help=f"Pipeline file; {PIPELINE_FILE} when there is one.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Look at this machine and this folder: what is there, what is missing, what to do."""
    from speechlytics.cli._table import as_text

    findings = [*_machine(), *_libraries(), *_pipeline(pipeline)]
    rows = [(f.state, f.what, f.detail, f.advice) for f in findings]
    columns = ("state", "what", "detail", "what to do")
    typer.echo(as_text(columns, rows, "json" if as_json else "table"))
    if any(finding.state == "missing" for finding in findings):
        raise typer.Exit(EXIT_ERROR)


def _machine() -> Iterator[Finding]:
    yield Finding("speechlytics", "ok", __version__)
    yield Finding("Python", "ok", f"{platform.python_version()} ({sys.executable})")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("cores", "ok", f"{cores}")
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    yield Finding(
        "memory",
        "ok" if memory_gb >= MIN_MEMORY_GB else "note",
        f"{memory_gb:.0f} GB",
        "" if memory_gb >= MIN_MEMORY_GB else "choose a small model",
    )
    free_gb = shutil.disk_usage(Path.cwd()).free / 1e9
    yield Finding(
        "disk here",
        "ok" if free_gb >= MIN_FREE_GB else "note",
        f"{free_gb:.0f} GB free",
        "" if free_gb >= MIN_FREE_GB else "free some space before the night",
    )


def _libraries() -> Iterator[Finding]:
    for name in LIBRARIES:
        try:
            yield Finding(name, "ok", version(name))
        except PackageNotFoundError:
            yield Finding(name, "missing", "not installed", "reinstall speechlytics")
    try:
        version("webrtcvad")
    except PackageNotFoundError:
        pass
    else:
        yield Finding(
            "webrtcvad",
            "missing",
            "installed beside webrtcvad-wheels; the two overwrite each other",
            "pip uninstall webrtcvad, then reinstall webrtcvad-wheels",
        )
    yield _gpu()


def _gpu() -> Finding:
    try:
        import ctranslate2

        count = ctranslate2.get_cuda_device_count()
    except (ImportError, RuntimeError) as error:
        return Finding("GPU", "note", f"cannot tell ({error})", "the model runs on the CPU")
    if count:
        return Finding("GPU", "ok", f"{count} CUDA device(s)")
    return Finding("GPU", "note", "none", "the model runs on the CPU")


def _pipeline(option: Path | None) -> Iterator[Finding]:
    path = option or Path(PIPELINE_FILE)
    if option is None and not path.is_file():
        yield Finding("pipeline", "note", f"no {PIPELINE_FILE} here", "speechlytics init DIR")
        return
    try:
        loaded = config.load(path)
    except SpeechlyticsError as error:
        yield Finding("pipeline", "missing", str(error), "mend the file")
        return
    yield Finding("pipeline", "ok", str(path))
    source = Path(loaded.source.path)
    if "://" not in loaded.source.path and not any(mark in source.name for mark in "*?["):
        found = source.exists()
        yield Finding(
            "source",
            "ok" if found else "missing",
            str(source),
            "" if found else "make the folder or mend source.path",
        )
    yield _model(loaded.transcribe.model)
    store = Path(loaded.store.path)
    yield Finding("store", "ok" if store.exists() else "note", str(store), "")


def _model(name: str) -> Finding:
    from speechlytics.transcribe import resolve

    try:
        return Finding(f"model {name}", "ok", str(resolve(name)))
    except SpeechlyticsError as error:
        return Finding(f"model {name}", "missing", str(error), f"speechlytics models fetch {name}")
