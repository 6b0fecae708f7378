"""Calibration learns from verdicts what it can, and nothing from too few."""

from __future__ import annotations

import json
import random
import sys
from dataclasses import replace
from datetime import UTC, date, datetime

import duckdb
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from speechlytics.calibrate import propose
from speechlytics.cli import app
from speechlytics.errors import ConfigError
from speechlytics.schema import TABLES
from speechlytics.sql import sql_files
from speechlytics.store import Store
from tests.store_calls import analysis


def catalog(calls, verdicts, hits):
    con = duckdb.connect()
    rows = {
        "calls": [
            {
                "call_id": c, "call_date": date(2026, 10, 5), "run_id": "r", "status": "ok",
                "duration_ms": 100_000, "started_at": datetime(2026, 10, 5, tzinfo=UTC),
            }
            for c in calls
        ],
        "reviews": [
            {"review_id": c, "call_id": c, "run_id": "r", "verdict": v} for c, v in verdicts.items()
        ],
        "phrase_hits": [
            {
                "call_id": c, "call_date": date(2026, 10, 5), "run_id": "r", "hit_id": i,
                "rule_id": category, "category": category, "role": "customer", "segment_id": 0,
                "start_ms": 100_000, "end_ms": 100_000, "matched_text": category,
            }
            for i, (c, category) in enumerate(hits)
        ],
    }  # fmt: skip
    for name, schema in TABLES.items():
        con.register("incoming", pa.Table.from_pylist(rows.get(name, []), schema=schema))
        con.execute(f"CREATE TABLE {name} AS FROM incoming")
        con.unregister("incoming")
    for file in sql_files():
        con.execute(file.statement)
    return con


@pytest.fixture
def reviewed():
    """In these calls "cannot help" says nothing and a complaint says everything."""
    rng = random.Random(3)
    calls, verdicts, hits = [], {}, []
    for number in range(200):
        call = f"c{number}"
        calls.append(call)
        unresolved = number % 2 == 0
        verdicts[call] = "unresolved" if unresolved else "resolved"
        if rng.random() < (0.8 if unresolved else 0.05):
            hits.append((call, "complaint_threat"))
        if rng.random() < 0.5:
            hits.append((call, "cannot_help"))
    con = catalog(calls, verdicts, hits)
    yield con
    con.close()


def test_a_reason_that_says_nothing_loses_weight_and_one_that_tells_keeps_it(reviewed):
    pytest.importorskip("sklearn")
    proposal = propose(reviewed)
    changes = {change.reason: change for change in proposal.changes}
    idle, telling = changes["cannot_help"], changes["complaint_threat"]
    assert idle.proposed < idle.weight * 0.6
    assert telling.proposed > idle.proposed + 0.5
    assert proposal.verdicts == 200
    assert proposal.average_precision_proposed > proposal.average_precision_now
    assert proposal.table().row_count == len(changes)


def test_nothing_is_applied(reviewed):
    pytest.importorskip("sklearn")
    before = reviewed.execute("FROM reason_weights ORDER BY ALL").fetchall()
    propose(reviewed)
    assert reviewed.execute("FROM reason_weights ORDER BY ALL").fetchall() == before


def test_too_few_verdicts_are_refused():
    pytest.importorskip("sklearn")
    con = catalog(["a", "b"], {"a": "resolved", "b": "unclear"}, [])
    with pytest.raises(ConfigError, match="0 calls were judged unresolved and 1 resolved"):
        propose(con)
    con.close()


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    con = duckdb.connect()
    with pytest.raises(ConfigError, match=r"pip install 'speechlytics\[calibrate\]'"):
        propose(con)
    con.close()


def test_the_command_proposes_and_changes_nothing(tmp_path):
    pytest.importorskip("sklearn", reason="scikit-learn is not installed: the extra `calibrate`")
    store = Store(tmp_path / "store")
    rng = random.Random(7)
    calls, verdicts = [], []
    for number in range(60):
        unresolved = number % 2 == 0
        hits = ["cannot_help"] if rng.random() < 0.5 else []
        hits += ["complaint_threat"] if unresolved and rng.random() < 0.8 else []
        call = analysis(f"c{number:02}", segments=1)
        found = tuple(
            replace(call.hits[0], rule_id=category, category=category, role="customer")
            for category in hits
        )
        calls.append(replace(call, hits=found))
        verdict = "unresolved" if unresolved else "resolved"
        verdicts.append({"call_id": f"c{number:02}", "verdict": verdict, "reviewer": "anna"})
    with store.writer("run") as writer:
        writer.add(calls)
        writer.publish()
    file = tmp_path / "verdicts.jsonl"
    file.write_text("\n".join(map(json.dumps, verdicts)))
    place = ["--store", str(tmp_path / "store")]
    assert CliRunner().invoke(app, ["import", "reviews", str(file), *place]).exit_code == 0
    state = (tmp_path / "store" / "_published.json").read_text()
    done = CliRunner().invoke(app, ["calibrate", *place, "--json"])
    assert done.exit_code == 0, done.output
    proposal = json.loads(done.output)
    changes = {change["reason"]: change for change in proposal["changes"]}
    assert proposal["verdicts"] == 60
    assert changes["complaint_threat"]["proposed"] > changes["cannot_help"]["proposed"]
    shown = CliRunner().invoke(app, ["calibrate", *place])
    assert shown.exit_code == 0
    assert "complaint_threat" in shown.output
    assert "Nothing was changed" in " ".join(shown.output.split())
    assert (tmp_path / "store" / "_published.json").read_text() == state
