"""The command line: help, examples, formats, and errors for the person who meets them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from speechlytics import config
from speechlytics.cli import app
from speechlytics.cli._table import as_text

ROOT = Path(__file__).resolve().parents[2]


def _commands() -> dict[str, click.Command]:
    found: dict[str, click.Command] = {}

    def walk(command: click.Command, path: str) -> None:
        children = getattr(command, "commands", None)
        if children is None:
            found[path] = command
            return
        for name, child in children.items():
            walk(child, f"{path} {name}".strip())

    walk(typer.main.get_command(app), "")
    return found


@pytest.mark.parametrize("path", sorted(_commands()))
def test_every_command_has_help_and_an_example(path: str) -> None:
    command = _commands()[path]
    assert command.help
    assert command.epilog is not None
    assert f"speechlytics {path}" in command.epilog
    for parameter in command.params:
        text = getattr(parameter, "help", None)
        assert text, f"{path}: {parameter.name} has no help"


def test_reference_is_what_help_says(tmp_path: Path) -> None:
    made = tmp_path / "cli.md"
    subprocess.run(
        [sys.executable, "-m", "typer", "speechlytics.cli", "utils", "docs", "--name",
         "speechlytics", "--title", "Command reference", "--output", str(made)],
        check=True, capture_output=True,
    )  # fmt: skip
    committed = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert committed == made.read_text(encoding="utf-8"), "run ./run docs"


def test_init_makes_a_project_that_loads(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "calls")])
    assert result.exit_code == 0, result.output
    loaded = config.load(tmp_path / "calls" / "pipeline.toml")
    assert loaded.phrases.packs == (str(tmp_path / "calls" / "phrases"),)
    assert list((tmp_path / "calls" / "phrases").rglob("*.toml"))
    assert "*.key" in (tmp_path / "calls" / ".gitignore").read_text()


def test_init_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text("mine")
    result = CliRunner().invoke(app, ["init", str(tmp_path)])
    assert result.exit_code != 0
    assert (tmp_path / "pipeline.toml").read_text() == "mine"


def _speechlytics(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "speechlytics", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["run"], 2, "speechlytics init DIR"),
        (["sql", "SELECT 1"], 2, "SPEECHLYTICS_STORE"),
        (["run", "nowhere.toml"], 2, "nowhere.toml: cannot be read"),
        (["models", "show", "huge-v9"], 0, "huge-v9"),
        (["rules", "check", "nowhere"], 2, "nowhere"),
        (["frobnicate"], 2, "frobnicate"),
    ],
)
def test_mistakes_say_what_to_do(
    tmp_path: Path, arguments: list[str], code: int, says: str
) -> None:
    done = _speechlytics(*arguments, cwd=tmp_path)
    assert done.returncode == code, done.stderr
    assert says in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_help_loads_no_heavy_library(tmp_path: Path) -> None:
    """`--help` is instant because it imports nothing that takes long."""
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom speechlytics.cli import app\n"
        "CliRunner().invoke(app, ['--help'])\n"
        "print([m for m in ('av','duckdb','faster_whisper','ctranslate2','pyarrow','numpy',"
        "'deltalake','pymorphy3','onnxruntime') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


ROWS = [("call|1", 1.5, None, [{"reason": "dead_air"}]), ("=2+3", 2.0, True, [])]
COLUMNS = ("id", "score", "flag", "reasons")


def test_json_keeps_structure() -> None:
    assert json.loads(as_text(COLUMNS, ROWS, "json"))[0]["reasons"] == [{"reason": "dead_air"}]
    lines = as_text(COLUMNS, ROWS, "jsonl").splitlines()
    assert [json.loads(line)["score"] for line in lines] == [1.5, 2.0]


def test_csv_round_trips() -> None:
    rows = list(csv.DictReader(io.StringIO(as_text(COLUMNS, ROWS, "csv"))))
    assert rows[0]["id"] == "call|1"
    assert json.loads(rows[0]["reasons"]) == [{"reason": "dead_air"}]
    assert rows[0]["flag"] == ""


def test_markdown_escapes_pipes() -> None:
    lines = as_text(COLUMNS, ROWS, "markdown").splitlines()
    assert len(lines) == 4
    assert "call\\|1" in lines[2]


def test_table_shows_every_value() -> None:
    text = as_text(COLUMNS, ROWS, "table")
    assert "call|1" in text
    assert "dead_air" in text
