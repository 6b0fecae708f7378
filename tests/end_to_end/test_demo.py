"""`speechlytics demo`: the main job on the shipped calls, measured against their truth."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from speechlytics.evaluate import Report, evaluate, read_truth, tables_from_store
from speechlytics.shipped import shipped
from speechlytics.store import connect, views_sql

TRUTH = shipped("pipelines") / "demo" / "calls" / "truth.jsonl"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's store and what it printed."""
    folder = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "speechlytics", "demo", "try"],
        cwd=folder, check=False, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "try" / "store", done.stdout


@pytest.fixture(scope="module")
def figures(demo: tuple[Path, str]) -> Report:
    truth = read_truth(TRUTH)
    return evaluate(truth, tables_from_store(connect(demo[0]), [call.call_id for call in truth]))


def test_prints_evidence_alerts_and_what_to_try(demo: tuple[Path, str]) -> None:
    _, printed = demo
    assert "19 ok" in printed
    for part in ("UNRESOLVED", "SILENCE ALERTS", "Try next", "demo-01", "«"):
        assert part in printed


def test_commands_that_it_offers_work(demo: tuple[Path, str]) -> None:
    store, printed = demo
    offered = [line.strip() for line in printed.splitlines() if line.startswith("  speechlytics")]
    assert len(offered) == 3
    for line in offered:
        command = line.split("#")[0].replace("speechlytics", f"{sys.executable} -m speechlytics", 1)
        done = subprocess.run(
            command, shell=True, cwd=store.parents[1], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"


def test_every_call_is_heard(figures: Report) -> None:
    assert figures.calls == 19
    assert not figures.missing


def test_silences_and_holds_are_found(figures: Report) -> None:
    for kind in ("silences", "hold music"):
        for measure in ("precision", "recall"):
            value = figures.value(kind, measure)
            assert value is not None
            assert value >= 0.9, f"{kind} {measure}"


def test_what_was_said_is_heard(figures: Report) -> None:
    """The shipped model's promise for its own kind of speech (models/demo-ru-en-uk-hu/card.md)."""
    errors = figures.value("words", "WER")
    assert errors is not None
    assert errors <= 0.08


def test_phrases_fire_where_the_truth_says(figures: Report) -> None:
    for measure in ("precision", "recall"):
        value = figures.value("phrases", measure)
        assert value is not None
        assert value >= 0.9, measure


def test_unresolved_calls_come_first(figures: Report) -> None:
    ranked = figures.value("unresolved", "average precision")
    assert ranked is not None
    assert ranked >= 0.9


def test_a_repeat_confirms_the_first_call(demo: tuple[Path, str]) -> None:
    rows = connect(demo[0]).execute(
        "SELECT call_id, repeat_confirmed FROM unresolved(min_score := -99) "
        "WHERE call_id IN ('demo-01', 'demo-05') ORDER BY 1"
    )
    assert rows.fetchall() == [("demo-01", True), ("demo-05", True)]


def test_views_paste_into_a_bare_client(demo: tuple[Path, str]) -> None:
    """No help from us: a DuckDB connection of its own and the printed SQL."""
    import duckdb

    bare = duckdb.connect()
    bare.execute(views_sql(demo[0]))
    here = bare.execute("SELECT call_id, score FROM unresolved_calls ORDER BY ALL").fetchall()
    there = connect(demo[0]).execute("SELECT call_id, score FROM unresolved_calls ORDER BY ALL")
    assert here == there.fetchall()
    assert here
