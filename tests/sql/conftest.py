"""An in-memory catalog: rows given by the test, every shipped macro and view over them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from speechlytics.schema import TABLES
from speechlytics.sql import sql_files
from speechlytics.store._postings import postings_of

START = datetime(2026, 10, 5, 6, 0, tzinfo=UTC)  # a Monday, 09:00 in Moscow
DAY = timedelta(days=1)


class Catalog:
    """Rows by table; call ``ready()`` after the last one."""

    def __init__(self, file: Path) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
        self.con = duckdb.connect(file, config={"threads": 1})

    def call(self, call_id: str, *, day: float = 0, **values: Any) -> str:
        started = START + day * DAY
        local = (started + timedelta(hours=3)).replace(tzinfo=None)
        row = {
            "call_id": call_id,
            "call_date": local.date(),
            "started_at": started,
            "started_local": local,
            "recording_uri": f"{call_id}.wav",
            "duration_ms": 100_000,
            "status": "ok",
            "transcript_source": "asr",
            "answered": True,
            "direction": "inbound",
            "run_id": "test",
        }
        self.rows["calls"].append({**row, **values})
        return call_id

    def _child(self, table: str, ordinal: str, call_id: str, values: dict[str, Any]) -> None:
        call = next(c for c in self.rows["calls"] if c["call_id"] == call_id)
        own = [r for r in self.rows[table] if r["call_id"] == call_id]
        row = {"call_id": call_id, "call_date": call["call_date"], "run_id": "test"}
        self.rows[table].append({**row, ordinal: len(own), **values})

    def say(self, call_id: str, role: str, at_s: float, text: str, *, for_s: float = 2) -> None:
        times = {"start_ms": round(at_s * 1000), "end_ms": round((at_s + for_s) * 1000)}
        self._child("segments", "segment_id", call_id, {"role": role, "text": text, **times})

    def hit(
        self, call_id: str, category: str, at_s: float, role: str = "customer", **values: Any
    ) -> None:
        row = {
            "rule_id": f"rule-{category}",
            "category": category,
            "role": role,
            "segment_id": 0,
            "start_ms": round(at_s * 1000),
            "end_ms": round(at_s * 1000) + 1000,
            "matched_text": f"words of {category}",
        }
        self._child("phrase_hits", "hit_id", call_id, {**row, **values})

    def silence(self, call_id: str, at_s: float, for_s: float, **values: Any) -> None:
        row = {
            "start_ms": round(at_s * 1000),
            "end_ms": round((at_s + for_s) * 1000),
            "duration_ms": round(for_s * 1000),
            "kind": "silence",
            "position": "inner",
            "before_role": "customer",
            "after_role": "agent",
            "announced": False,
            "after_question": False,
            "thanked": False,
        }
        self._child("silences", "silence_id", call_id, {**row, **values})

    def row(self, table: str, **values: Any) -> None:
        self.rows[table].append({"run_id": "test", **values})

    def ready(self) -> Catalog:
        segments = pa.Table.from_pylist(self.rows["segments"], schema=TABLES["segments"])
        for name, schema in TABLES.items():
            given = pa.Table.from_pylist(self.rows[name], schema=schema)
            made = postings_of(segments) if name == "postings" else given
            self.con.register("incoming", made)
            self.con.execute(f"INSERT INTO {name} BY NAME FROM incoming")
            self.con.unregister("incoming")
        return self

    def all(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        result = self.con.execute(query, parameters or None)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def one(self, query: str, **parameters: Any) -> dict[str, Any]:
        rows = self.all(query, **parameters)
        assert len(rows) == 1, rows
        return rows[0]


@pytest.fixture(scope="session")
def empty_catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog without rows, made once: creating the views costs more than any query here."""
    file = tmp_path_factory.mktemp("catalog") / "empty.duckdb"
    with duckdb.connect(file) as con:
        for name, schema in TABLES.items():
            con.register("incoming", schema.empty_table())
            con.execute(f"CREATE TABLE {name} AS FROM incoming")
            con.unregister("incoming")
        for sql in sql_files():
            con.execute(sql.statement)
    return file


@pytest.fixture
def new_catalog(empty_catalog: Path, tmp_path: Path) -> Iterator[Callable[[], Catalog]]:
    made: list[Catalog] = []

    def make() -> Catalog:
        file = tmp_path / f"{len(made)}.duckdb"
        shutil.copy(empty_catalog, file)
        made.append(Catalog(file))
        return made[-1]

    yield make
    for one in made:
        one.con.close()


@pytest.fixture(scope="module")
def shared_catalog(
    empty_catalog: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Catalog]:
    """One for all tests of a module, which only read it."""
    file = tmp_path_factory.mktemp("catalog") / "shared.duckdb"
    shutil.copy(empty_catalog, file)
    made = Catalog(file)
    yield made
    made.con.close()


@pytest.fixture
def catalog(new_catalog: Callable[[], Catalog]) -> Catalog:
    return new_catalog()
