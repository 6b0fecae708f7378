"""A customer is forgotten in a finished project: no byte of it stays, and the next night agrees."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from speechlytics import config, nightly
from speechlytics.store import Store
from tests.end_to_end.test_nightly import make_project, write_wav
from tests.unit.test_store_erase import holding

NUMBER = "8 916 123-45-67"
FORGOTTEN = ("call0", "call2")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project after its night, its exports, and a listening; two calls are of one customer."""
    pipeline = make_project(tmp_path_factory.mktemp("forget"))
    folder = pipeline.parent
    for call_id in FORGOTTEN:
        sidecar = folder / "recordings" / f"{call_id}.json"
        told = json.loads(sidecar.read_text())
        sidecar.write_text(json.dumps(told | {"customer_id": NUMBER}))
    export = '[[export]]\nwhat = "silences"\nout = "out/silences.csv"\nnew = true\n'
    pipeline.write_text(pipeline.read_text() + export)
    nightly.run(config.load(pipeline), nightly.Selection())
    store = Store(folder / "store")
    store.append_reviews(
        [{"review_id": "1", "call_id": "call0", "verdict": "unclear", "run_id": "r"}]
    )
    store.note("listen", call_id="call0")
    return pipeline


def forget(pipeline: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "speechlytics", "forget", *arguments]
    return subprocess.run(
        command, cwd=pipeline.parent, capture_output=True, text=True, check=False, timeout=120
    )


def rows(pipeline: Path, query: str) -> list[tuple]:
    with Store(pipeline.parent / "store").connect() as connection:
        return connection.execute(query).fetchall()


def test_a_forgotten_customer_leaves_no_byte_and_does_not_come_back(project: Path) -> None:
    root = project.parent / "store"
    ((key,),) = rows(project, "SELECT DISTINCT customer_key FROM calls WHERE call_id = 'call0'")
    said = dict(rows(project, "SELECT text, count(DISTINCT call_id) FROM segments GROUP BY text"))
    gone = {
        text
        for (text,) in rows(project, f"SELECT text FROM segments WHERE call_id IN {FORGOTTEN}")
        if said[text] == 1
    }
    assert gone
    assert set(holding(root, *FORGOTTEN, key, *gone)) == {*FORGOTTEN, key, *gone}

    with Store(root).writer("night"):
        locked = forget(project, "--customer", NUMBER, "--yes")
    assert locked.returncode == 4
    done = forget(project, "--customer", NUMBER, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["calls"] == 2
    assert [Path(uri).stem for uri in report["recordings"]] == list(FORGOTTEN)
    assert report["exports"] == [str(project.parent / "out" / "silences.csv")]
    assert holding(root, *FORGOTTEN, key, *gone) == {}

    again = nightly.run(config.load(project), nightly.Selection())
    assert again.counts == {"unchanged": 3}
    assert holding(root, *FORGOTTEN, key, *gone) == {}
    left = rows(project, "SELECT call_id FROM calls ORDER BY 1")
    assert left == [("broken",), ("call1",), ("call3",)]

    # who calls again afterwards is a customer like any other
    write_wav(project.parent / "recordings" / "later.wav", 1)
    when = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    sidecar = {"started_at": when, "customer_id": NUMBER}
    (project.parent / "recordings" / "later.json").write_text(json.dumps(sidecar))
    assert nightly.run(config.load(project), nightly.Selection()).counts["ok"] == 1
    assert rows(project, "SELECT customer_key FROM calls WHERE call_id = 'later'") == [(key,)]
