"""An erased call is in no byte of the store, whatever the erasure was killed at."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from speechlytics.errors import StoreError
from speechlytics.schema import TABLES
from speechlytics.store import Forgotten, Store, connect
from speechlytics.store.durable import intercepted
from tests.store_calls import SQL, analysis

NOW = datetime(2026, 3, 5, tzinfo=UTC)
GONE, WORD = "aaa-gone-4711", "иволга"
OTHERS = ("bbb", "ccc", "zzz")


class Killed(BaseException):
    """Like SIGKILL: no handler for errors runs (those catch ``Exception``)."""


def filled(root: Path) -> Store:
    """A store in which the call stands first, in superseded files, verdicts and the audit."""
    store = Store(root, sql=SQL)
    with store.writer("first") as writer:
        writer.add([analysis(GONE, text=WORD), analysis("bbb")])
        writer.publish()
        writer.add([analysis(GONE, text=WORD, segments=3), analysis("ccc"), analysis("zzz")])
        writer.publish()
        writer.add([analysis(f"{GONE}-2", day=date(2026, 3, 9), text=WORD)])
        writer.publish()
    about = {"verdict": "resolved", "run_id": "r", "note": "иволга просила перезвонить"}
    store.append_reviews([{"review_id": "1", "call_id": GONE, **about}])
    store.append_reviews(
        [{"review_id": "2", "call_id": "bbb", "verdict": "unclear", "run_id": "r"}]
    )
    store.note("listen", call_id=GONE)
    store.note("listen", call_id="bbb")
    store.note("sql", query=f"FROM calls WHERE call_id = '{GONE}'")
    store.note("sql", query=f"FROM calls WHERE call_id = '{GONE}-other'")
    return store


def holding(root: Path, *needles: str) -> dict[str, list[str]]:
    """Files that hold one of the texts in their bytes or, of Parquet, in their values."""
    import pyarrow.parquet as pq

    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += str(pq.ParquetFile(path).read().to_pylist()).encode()
        for needle in needles:
            if needle.encode() in content:
                found.setdefault(needle, []).append(str(path.relative_to(root)))
    return found


def erase(store: Store, call_ids: list[str]) -> dict[str, int]:
    with store.writer("erase") as writer:
        writer.forbid(call_ids, [], NOW)
        return dict(writer.remove_calls(call_ids).rows)


def left(store: Store) -> dict[str, list]:
    with connect(store) as connection:
        found = {}
        for name in TABLES:
            rows = connection.sql(f"FROM {name}").to_arrow_table().to_pylist()
            for row in rows:
                row.pop("run_id", None)
            found[name] = sorted(map(repr, rows))
        return found


def test_every_trace_goes_and_the_rest_stays(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    before = left(store)
    # the search words of a day belong to all its calls; what is checked is that it was there
    assert set(holding(tmp_path / "store", GONE, WORD)) == {GONE, WORD}
    rows = erase(store, [GONE, f"{GONE}-2", "never-heard-of"])
    assert {name: rows[name] for name in ("calls", "segments", "silences", "phrase_hits")} == {
        "calls": 2, "segments": 5, "silences": 5, "phrase_hits": 5,
    }  # fmt: skip
    assert (rows["reviews"], rows["audit"]) == (1, 1)
    after = left(store)
    for name in ("calls", "segments", "silences", "phrase_hits", "reviews"):
        assert after[name] == [row for row in before[name] if GONE not in row]
    assert sum(GONE in row for row in after["audit"]) == 1, "the call of a longer id is another"
    store_files = holding(tmp_path / "store", GONE, WORD)
    assert set(store_files) <= {GONE}
    assert all(path.startswith("audit/") for path in store_files.get(GONE, []))
    assert not list((tmp_path / "store").glob("*/call_date=2026-03-09"))


def test_no_delta_reader_reaches_an_earlier_version(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    erase(store, [GONE])
    for name in ("calls", "segments", "reviews", "audit"):
        table = DeltaTable(store.place.uri(name))
        assert len(table.history()) == 1
        with pytest.raises(DeltaError):
            DeltaTable(store.place.uri(name), version=table.version() - 1)
    with store.writer("later") as writer:
        writer.add([analysis("ddd")])
        writer.publish()
    assert len(left(store)["calls"]) == 5


@pytest.mark.parametrize(
    "every", [pytest.param(7, marks=[pytest.mark.slow, pytest.mark.timeout(900)]), 37]
)
def test_a_kill_anywhere_is_finished_by_the_next_writer(tmp_path: Path, every: int) -> None:
    full = tmp_path / "full"
    filled(full)
    clean = Store(shutil.copytree(full, tmp_path / "clean"), sql=SQL)
    steps: list[str] = []
    with intercepted(lambda action, target: steps.append(action)):
        erase(clean, [GONE, f"{GONE}-2"])
    expected = left(clean)
    assert len(steps) > 60
    for number in range(1, len(steps), every):
        store = Store(shutil.copytree(full, tmp_path / f"killed-{number}"), sql=SQL)
        counter = iter(range(number))

        def hook(action: str, target: str, counter: Iterator[int] = counter) -> None:
            if next(counter, None) is None:
                raise Killed

        with intercepted(hook), pytest.raises(Killed):
            erase(store, [GONE, f"{GONE}-2"])
        erase(store, [GONE, f"{GONE}-2"])
        assert comparable(left(store)) == comparable(expected), f"killed at step {number}"
        assert not holding(Path(store.place.root), WORD), f"killed at step {number}"


def comparable(tables: dict[str, list]) -> dict[str, object]:
    """Tables as they are, of the audit only the number of rows: its entries are of now."""
    return {name: len(rows) if name == "audit" else rows for name, rows in tables.items()}


def test_a_killed_erasure_is_finished_by_a_writer_that_knows_nothing_of_it(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    steps: list[str] = []

    def hook(action: str, target: str) -> None:
        steps.append(target)
        if target.endswith("_journal.json"):
            raise Killed

    with intercepted(hook), pytest.raises(Killed):
        erase(store, [GONE, f"{GONE}-2"])
    assert any(GONE in row for row in left(store)["calls"])
    with store.writer("next night"):
        pass
    assert not any(GONE in row for row in left(store)["calls"])
    assert not holding(tmp_path / "store", WORD)


def test_a_full_disk_is_named_and_the_next_try_succeeds(tmp_path: Path) -> None:
    store = filled(tmp_path / "store")

    def hook(action: str, target: str) -> None:
        if action == "write" and target.startswith("segments/"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with intercepted(hook), pytest.raises(StoreError, match="No space left"):
        erase(store, [GONE])
    assert any(GONE in row for row in left(store)["calls"])
    erase(store, [GONE, f"{GONE}-2"])
    assert not holding(tmp_path / "store", WORD)


def test_what_is_forgotten_is_told_by_hashes_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "store", sql=SQL)
    with store.writer("run") as writer:
        writer.forbid(["call-1"], ["customer-1"], NOW)
        writer.forbid(["call-1", "call-2"], [], NOW + timedelta(days=1))
    forgotten = store.forgotten()
    assert forgotten.call("call-1") == NOW.isoformat()
    assert forgotten.call("call-2") is not None
    assert forgotten.call("call-3") is None
    assert forgotten.customer("customer-1", NOW - timedelta(days=400)) == NOW.isoformat()
    assert forgotten.customer("customer-1", NOW + timedelta(seconds=1)) is None, "a new call"
    assert forgotten.customer("customer-2", NOW) is None
    assert forgotten.customer(None, NOW) is None
    assert Forgotten().call("call-1") is None
    text = (tmp_path / "store" / "_forgotten.json").read_text()
    assert "call-1" not in text
    assert "customer-1" not in text
