"""Records → tables, the spool between them and the publication, and rows in file order."""

from __future__ import annotations

import contextlib
import errno
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from speechlytics.errors import StoreError
from speechlytics.records import CallAnalysis, Word
from speechlytics.schema import CALL_TABLES
from speechlytics.store import Store, _spool, _writer, segments_of, tables_from
from speechlytics.store._layout import in_order
from speechlytics.store.durable import intercepted
from tests.store_calls import DAY, SQL, analysis, rows_of


def with_words(call: CallAnalysis, *probabilities: float | None) -> CallAnalysis:
    """The call, every segment with as many words as there are probabilities."""
    assert call.transcript is not None
    segments = tuple(
        replace(
            segment,
            words=tuple(
                Word(f"с{at}", segment.start_ms + 10 * at, segment.start_ms + 10 * at + 5, p)
                for at, p in enumerate(probabilities)
            ),
        )
        for segment in call.transcript.segments
    )
    return replace(call, transcript=replace(call.transcript, segments=segments))


def again(call: CallAnalysis) -> CallAnalysis:
    """The call with segments as a store gives them back."""
    assert call.transcript is not None
    stored = segments_of(tables_from([call], "run")["segments"])
    segments = stored.get(call.recording.call_id, ())
    return replace(call, transcript=replace(call.transcript, segments=segments))


CALLS = (
    with_words(analysis("a", segments=3), 0.5, 0.25),
    with_words(analysis("b", segments=2), None, 0.75),
    with_words(analysis("c", segments=1)),
    with_words(analysis("d", segments=0)),
    with_words(analysis("e", segments=2), 0.125),
)


@pytest.mark.parametrize("stored", [(), (0, 1, 2, 3, 4), (0, 4), (1, 3), (2,)])
def test_stored_words_give_the_same_columns_as_records(stored: tuple[int, ...]) -> None:
    mixed = [again(call) if at in stored else call for at, call in enumerate(CALLS)]
    made, expected = tables_from(mixed, "run"), tables_from(CALLS, "run")
    assert all(made[name].equals(expected[name]) for name in CALL_TABLES)


def test_words_per_minute_count_words_or_else_the_text() -> None:
    call = with_words(analysis("a", segments=3), 0.5, 0.5)
    assert call.activity is not None
    assert call.transcript is not None
    first, *others = call.transcript.segments
    call = replace(
        call,
        activity=replace(call.activity, agent_talk_ms=30_000, customer_talk_ms=0),
        transcript=replace(
            call.transcript,
            segments=(replace(first, words=(), text="раз два три четыре"), *others),
        ),
    )
    (row,) = tables_from([call], "run")["calls"].to_pylist()
    # agent: segments 0 (four words of text) and 2 (two words); nobody heard the customer talk
    assert (row["agent_wpm"], row["customer_wpm"]) == (12.0, None)
    (row,) = tables_from([replace(call, transcript=None)], "run")["calls"].to_pylist()
    assert (row["agent_wpm"], row["customer_wpm"]) == (None, None)


@pytest.mark.parametrize("size", [1, 7, 40, 1000])
@pytest.mark.parametrize("disorder", [0, 3, 1000])
def test_rows_are_put_in_order_a_group_at_a_time(size: int, disorder: int) -> None:
    calls, parts = 60, 4
    order = np.argsort(np.arange(calls) + np.random.default_rng(1).uniform(0, disorder, calls))
    frames = [
        tables_from([analysis(f"c{n:03}", segments=2) for n in some], "run")["segments"]
        for some in np.array_split(order, parts)
    ]
    groups = list(in_order("segments", pa.concat_tables(frames), size))
    expected = tables_from([analysis(f"c{n:03}", segments=2) for n in range(calls)], "run")
    assert pa.concat_tables(groups).equals(expected["segments"])
    assert disorder == 0 or all(group.num_rows <= size for group in groups)


def appended(folder: Path, *batches: list[CallAnalysis]) -> _spool.Spool:
    spool = _spool.Spool(folder)
    for batch in batches:
        spool.append(tables_from(batch, "run"))
    return spool


def test_a_file_of_ones_own_is_taken_as_a_stranger_reads_it(tmp_path: Path) -> None:
    spool = appended(tmp_path, list(CALLS[:2]), list(CALLS[2:]))
    (path,) = spool.rotate()
    own, read = spool.take(path), _spool.read(path)
    assert spool.size == path.stat().st_size - own_header(path)
    path.unlink()  # it is mapped: its rows stay
    for name in CALL_TABLES:
        expected = tables_from(CALLS, "run")[name]
        assert all(_spool.merge(frames)[name].equals(expected) for frames in (own, read))


def own_header(path: Path) -> int:
    return path.read_bytes().index(_spool.MARK.to_bytes(4, "little"))


def test_a_file_whose_append_failed_is_read_with_its_checksums(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = appended(tmp_path, [CALLS[0]])

    def full(action: str, target: str) -> None:
        if action == "append":
            raise OSError(errno.ENOSPC, "full")

    with intercepted(full), pytest.raises(StoreError, match="cannot spool"):
        spool.append(tables_from([CALLS[1]], "run"))
    spool.append(tables_from([CALLS[2]], "run"))
    first, second = spool.rotate()
    damaged = bytearray(first.read_bytes())
    damaged[-1] ^= 1
    first.write_bytes(damaged)
    assert spool.take(first) == []
    assert rows_of(spool.take(second)[0]["calls"]) == rows_of(
        tables_from([CALLS[2]], "run")["calls"]
    )


def test_what_fills_the_memory_set_aside_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_writer, "PUBLISH_BYTES", 40_000)
    monkeypatch.setattr(_writer, "SPOOL_CALLS", 4)
    store = Store(tmp_path / "store", sql=SQL)
    with store.writer("run") as writer:
        seen: list[int] = []
        for number in range(32):
            writer.add([analysis(f"c{number:02}")])
            seen.append(len(store.done()))
            assert seen[-1] + writer.pending == number + 1
        assert len(set(seen)) > 2
        rows = tables_from([analysis(f"t{number}") for number in range(40)], "run")
        waiting = len(store.done())
        writer.add_tables(rows)
        assert len(store.done()) > waiting
        with contextlib.suppress(StoreError):
            writer.publish()
    assert len(store.done()) == 72
    assert set(store.days()) == {DAY}
