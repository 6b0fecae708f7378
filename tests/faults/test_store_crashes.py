"""A store that is killed at any durable step, then run again, equals an undisturbed one."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from speechlytics.errors import StoreError
from speechlytics.schema import PARTITIONED
from speechlytics.store import Store, connect
from speechlytics.store.durable import intercepted
from tests.store_calls import SQL, analysis, rows_of

FIRST = (analysis("a", segments=3), analysis("b", segments=2), analysis("c"))
# "a" comes back with other content and "b" on another day, "d" is new
SECOND = (
    analysis("a", segments=1, text="другое"),
    analysis("b", segments=2, day=date(2026, 3, 2)),
    analysis("d", segments=4),
)


class Killed(BaseException):
    """Like SIGKILL: no handler for errors runs (those catch ``Exception``)."""


def night(root: Path, calls, run_id: str) -> None:
    store = Store(root, sql=SQL)
    with store.writer(run_id) as writer:
        writer.add(calls[:2])
        writer.flush()
        writer.add(calls[2:])
        writer.publish()


def contents(root: Path) -> dict[str, list] | None:
    """All rows as a reader of the catalog sees them; ``None`` before there is a store."""
    if not Store(root).exists():
        return None
    with connect(root) as connection:
        return {
            name: rows_of(connection.sql(f"FROM {name}").to_arrow_table()) for name in PARTITIONED
        }


def fail_at(number: int, error: BaseException) -> Callable[[str, str], None]:
    counter = iter(range(number))

    def hook(action: str, target: str) -> None:
        if next(counter, None) is None:
            raise error

    return hook


def count_steps(root: Path, calls, run_id: str) -> int:
    steps: list[str] = []
    with intercepted(lambda action, target: steps.append(action)):
        night(root, calls, run_id)
    assert {"write", "sync", "replace", "commit", "append", "remove"} <= set(steps)
    return len(steps)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict, int, int]:
    root = tmp_path_factory.mktemp("clean") / "store"
    steps = count_steps(root, FIRST, "run-1")
    first = contents(root)
    more = count_steps(root, SECOND, "run-2")
    second = contents(root)
    assert first is not None
    assert second is not None
    return first, second, steps, more


def stride(total: int) -> list[int]:
    """Some steps of every kind; the slow sweep takes them all."""
    return list(range(1, total, 11))


def survive(tmp_path: Path, at: int, error: BaseException, clean, *, first_night: bool) -> None:
    first, second, _, _ = clean
    root = tmp_path / f"store-{at}"
    empty = {name: [] for name in PARTITIONED}
    if not first_night:
        night(root, FIRST, "run-1")
    calls, run_id = (FIRST, "run-1") if first_night else (SECOND, "run-2")
    with intercepted(fail_at(at, error)), pytest.raises((Killed, StoreError, OSError)):
        night(root, calls, run_id)
    # whoever reads now sees one publication or the other, whole
    allowed = [None, empty, first] if first_night else [first, second]
    assert contents(root) in allowed, f"torn at step {at}"
    night(root, calls, run_id)
    assert contents(root) == (first if first_night else second), f"differs after step {at}"
    assert not (root / "_journal.json").exists()
    assert not list((root / "_spool").glob("*"))


@pytest.mark.parametrize("first_night", [True, False])
def test_a_kill_at_any_step_is_mended_by_the_next_run(tmp_path: Path, clean, first_night) -> None:
    for at in stride(clean[2] if first_night else clean[3]):
        survive(tmp_path, at, Killed(), clean, first_night=first_night)


@pytest.mark.slow
@pytest.mark.parametrize("first_night", [True, False])
@pytest.mark.parametrize(
    "error",
    [Killed(), OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EIO, "I/O error")],
    ids=["kill", "full", "broken"],
)
def test_every_step(tmp_path: Path, clean, first_night, error) -> None:
    for at in range(clean[2] if first_night else clean[3]):
        survive(tmp_path, at, error, clean, first_night=first_night)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_full_or_broken_disk_is_named_and_loses_nothing(tmp_path: Path, clean, code) -> None:
    for at in stride(clean[3])[1::3]:
        survive(tmp_path, at, OSError(code, "disk"), clean, first_night=False)


def test_a_failed_publication_can_be_repeated_by_the_same_writer(tmp_path: Path, clean) -> None:
    _, second, _, steps = clean
    for at in range(8, steps, 12):
        root = tmp_path / f"store-{at}"
        night(root, FIRST, "run-1")
        store = Store(root, sql=SQL)
        with store.writer("run-2") as writer:
            writer.add(SECOND)
            writer.flush()
            full = fail_at(at, OSError(errno.ENOSPC, "full"))
            with intercepted(full), contextlib.suppress(StoreError, OSError):
                writer.publish()
            writer.publish()
            assert writer.pending == 0
        assert contents(root) == second


def spool_only(store: Store, batches) -> None:
    """A run that ends before it publishes."""
    with store.writer("run-1") as writer:
        for batch in batches:
            writer.add(batch)
            writer.flush()


def test_spooled_calls_of_a_killed_run_are_published_not_redone(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store(root, sql=SQL)
    spool_only(store, [FIRST])
    with store.writer("run-2"):
        assert set(store.done()) == {"a", "b", "c"}
    with connect(root) as connection:
        assert connection.execute("SELECT DISTINCT run_id FROM calls").fetchall() == [("run-1",)]


@pytest.mark.parametrize("cut", [1, 7, 40, 300])
def test_a_torn_tail_of_the_spool_loses_the_last_append_only(tmp_path: Path, cut: int) -> None:
    store = Store(tmp_path / "store", sql=SQL)
    spool_only(store, [[call] for call in FIRST])
    (spool,) = (tmp_path / "store" / "_spool").glob("*.spool")
    spool.write_bytes(spool.read_bytes()[:-cut])
    with store.writer("run-2"):
        assert set(store.done()) == {"a", "b"}


@pytest.mark.parametrize(
    "junk", [b"", b"SPLY", b"SPLYSPL1", b"\0" * 4096, b"SPLYSPL1" + b"\xff" * 64]
)
def test_a_spool_file_that_never_got_going_is_dropped(tmp_path: Path, junk: bytes) -> None:
    store = Store(tmp_path / "store", sql=SQL)
    folder = tmp_path / "store" / "_spool"
    folder.mkdir(parents=True)
    (folder / "00000000000000000001-x.spool").write_bytes(junk)
    with store.writer("run"):
        assert len(store.done()) == 0
    assert not list(folder.iterdir())
