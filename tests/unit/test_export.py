from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from speechlytics.errors import ConfigError, StoreError
from speechlytics.export import Exported, export
from speechlytics.sql import SqlFile
from speechlytics.store import Store
from speechlytics.store.durable import intercepted
from tests.store_calls import analysis

ALERTS = SqlFile(
    "silence_alerts", "view", "", "", "", "", (),
    "CREATE OR REPLACE VIEW silence_alerts AS "
    "SELECT call_id, call_date, silence_id, duration_ms FROM silences ORDER BY ALL;",
)  # fmt: skip
UNRESOLVED = SqlFile(
    "unresolved_calls", "view", "", "", "", "", (),
    "CREATE OR REPLACE VIEW unresolved_calls AS SELECT call_id, call_date, -1.5::DOUBLE AS score, "
    "agent_id, started_at, [{'reason': 'hang', 'quote': NULL}] AS reasons, answered FROM calls;",
)  # fmt: skip
BARE = SqlFile(
    "bare", "view", "", "", "", "", (), "CREATE OR REPLACE VIEW bare AS SELECT 1 AS one;"
)


def night(store: Store, *calls, run_id: str = "run") -> None:
    with store.writer(run_id) as writer:
        writer.add(calls)
        writer.publish()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store", sql=[ALERTS, UNRESOLVED, BARE])
    night(store, analysis("=1+1", segments=1), analysis("b", segments=2, day=date(2026, 3, 2)))
    return store


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_csv_is_safe_for_spreadsheets_and_numbers_stay_numbers(store: Store, tmp_path) -> None:
    out = tmp_path / "deep" / "unresolved.csv"
    assert export(store, "unresolved", out) == Exported(2, out)
    rows = {row["call_id"]: row for row in read_csv(out)}
    assert set(rows) == {"'=1+1", "b"}
    assert rows["b"]["score"] == "-1.5"
    assert json.loads(rows["b"]["reasons"]) == [{"reason": "hang", "quote": None}]
    assert rows["b"]["started_at"] == "2026-03-02T06:30:00+00:00"
    assert rows["b"]["answered"] == ""


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_every_start_of_a_formula_is_disarmed(tmp_path: Path, start: str) -> None:
    store = Store(tmp_path / "store", sql=[UNRESOLVED])
    call = analysis("a")
    night(
        store,
        replace(call, recording=replace(call.recording, agent_id=start + "cmd|' /C calc'!A0")),
    )
    export(store, "unresolved", tmp_path / "a.csv")
    assert read_csv(tmp_path / "a.csv")[0]["agent_id"].startswith("'" + start)
    export(store, "unresolved", tmp_path / "a.xlsx")
    with zipfile.ZipFile(tmp_path / "a.xlsx") as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_json_lines_keep_types_and_nesting(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "unresolved.jsonl"
    export(store, "unresolved", out)
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert {row["call_id"] for row in rows} == {"=1+1", "b"}
    assert rows[0]["score"] == -1.5
    assert rows[0]["reasons"] == [{"reason": "hang", "quote": None}]


def test_parquet_and_xlsx(store: Store, tmp_path: Path) -> None:
    export(store, "silence-alerts", tmp_path / "alerts.parquet")
    table = pq.read_table(tmp_path / "alerts.parquet")
    assert table.num_rows == 3
    assert table.schema.names == ["call_id", "call_date", "silence_id", "duration_ms"]
    export(store, "silence-alerts", tmp_path / "book", form="xlsx")
    with zipfile.ZipFile(tmp_path / "book") as book:
        sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<row ") == 4
    assert "=1+1" in sheet
    first = (tmp_path / "book").read_bytes()
    export(store, "silence-alerts", tmp_path / "book", form="xlsx")
    assert (tmp_path / "book").read_bytes() == first


def test_since_and_until_include_their_days(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    one, two = date(2026, 3, 1), date(2026, 3, 2)
    assert export(store, "unresolved", out, since=two).rows == 1
    assert export(store, "unresolved", out, until=one).rows == 1
    assert export(store, "unresolved", out, since=one, until=two).rows == 2
    with pytest.raises(ConfigError, match="bare: has none of the columns"):
        export(store, "bare", out, since=one)


def test_what_cannot_be_exported_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'nothing': no such view"):
        export(store, "nothing", tmp_path / "a.csv")
    with pytest.raises(ConfigError, match="cannot tell the form"):
        export(store, "bare", tmp_path / "a.doc")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        export(store, "bare", tmp_path / "file" / "a.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "store"]


def test_a_failed_export_leaves_the_old_file(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    export(store, "unresolved", out)
    before = out.read_bytes()

    def full(action: str, target: str) -> None:
        if action == "sync":
            raise OSError(28, "No space left on device")

    with intercepted(full), pytest.raises(StoreError, match="No space left"):
        export(store, "silence-alerts", out)
    assert out.read_bytes() == before


def test_new_gives_each_row_once(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "alerts.csv"
    assert export(store, "silence-alerts", out, new=True) == Exported(3, out)
    first = out.read_bytes()
    assert export(store, "silence-alerts", out, new=True) == Exported(0, None)
    assert out.read_bytes() == first
    # the same calls again, under another run, are no news
    night(
        store,
        analysis("b", segments=2, day=date(2026, 3, 2)),
        analysis("c", segments=2),
        run_id="2",
    )
    later = export(store, "silence-alerts", out, new=True)
    assert later == Exported(2, tmp_path / "alerts-2.csv")
    assert {row["call_id"] for row in read_csv(tmp_path / "alerts-2.csv")} == {"c"}
    assert out.read_bytes() == first
    # another target, and another view, know nothing of it
    assert export(store, "silence-alerts", tmp_path / "other.csv", new=True).rows == 5
    assert export(store, "unresolved", out, new=True).rows == 3


class Killed(BaseException):
    """Like SIGKILL: nothing that handles errors sees it."""


def test_new_survives_a_kill_at_any_step(store: Store, tmp_path: Path) -> None:
    steps: list[str] = []
    with intercepted(lambda action, target: steps.append(action)):
        export(store, "silence-alerts", tmp_path / "count.csv", new=True)
    assert len(steps) > 8
    for at in range(1, len(steps), 2):
        folder = tmp_path / f"kill-{at}"
        out = folder / "alerts.csv"
        left = iter(range(at))

        def kill(action: str, target: str, left=left) -> None:
            if next(left, None) is None:
                raise Killed

        with intercepted(kill), pytest.raises(Killed):
            export(store, "silence-alerts", out, new=True)
        export(store, "silence-alerts", out, new=True)
        rows = [row["call_id"] for path in folder.glob("*.csv") for row in read_csv(path)]
        assert sorted(rows) == ["'=1+1", "b", "b"], f"killed at step {at}"
        assert export(store, "silence-alerts", out, new=True).rows == 0


def test_new_with_a_dated_name(store: Store, tmp_path: Path) -> None:
    done = export(store, "unresolved", tmp_path / "%Y" / "u.jsonl", new=True)
    assert done.path is not None
    assert done.path.parent.name.isdigit()
    assert export(store, "unresolved", tmp_path / "%Y" / "u.jsonl", new=True).rows == 0


def test_exported_parquet_reads_in_a_bare_client(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "u.parquet"
    export(store, "unresolved", out)
    with duckdb.connect() as bare:
        rows = bare.execute(f"SELECT reasons[1].reason FROM '{out}'").fetchall()
    assert rows == [("hang",), ("hang",)]


def test_the_audit_knows_what_left_and_where_to(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "alerts.csv"
    export(store, "silence-alerts", out)
    export(store, "silence-alerts", out, new=True)
    export(store, "silence-alerts", out, new=True)
    entries = store.read("audit").to_pylist()
    assert [entry["action"] for entry in entries] == ["export", "export"], "nothing new is none"
    details = [json.loads(entry["detail"]) for entry in entries]
    assert {detail["what"] for detail in details} == {"silence_alerts"}
    assert {detail["rows"] for detail in details} == {3}
    assert {detail["out"] for detail in details} == {str(out), str(tmp_path / "alerts-2.csv")}
    assert all(entry["actor"] for entry in entries)
