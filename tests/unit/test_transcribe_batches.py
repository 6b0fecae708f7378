from __future__ import annotations

from collections import deque

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechlytics.transcribe import Piece, TimeMap, Window, WindowFailure
from speechlytics.transcribe.batches import Batch, Submission, halves, next_batch


def submission(call_id: str, channels: list[int]) -> Submission:
    times = TimeMap((Piece(0, 0, 100, 0, 100),))
    features = np.zeros((80, 1), np.float32)
    return Submission(
        tuple(Window(call_id, c, "agent", i, features, times) for i, c in enumerate(channels))
    )


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(1, 20))
def test_whole_calls_are_gathered_in_order_up_to_the_preferred_size(
    sizes: list[int], preferred: int
) -> None:
    submissions = [submission(str(n), [0] * size) for n, size in enumerate(sizes)]
    waiting, batches = deque(submissions), []
    while waiting:
        batches.append(next_batch(waiting, preferred))
    assert [item for batch in batches for item in batch.items] == [
        (s, i) for s in submissions for i in range(len(s.windows))
    ]
    for batch in batches:
        assert len(batch) <= preferred or len({id(s) for s, _ in batch.items}) == 1


@given(st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=4), min_size=1, max_size=5))
def test_halving_finds_every_window_once(calls: list[list[int]]) -> None:
    waiting = deque(submission(str(n), sorted(channels)) for n, channels in enumerate(calls))
    todo, alone = [next_batch(waiting, 99)], []
    while todo:
        batch = todo.pop()
        if len(batch) == 1:
            alone.append(batch.items[0])
        else:
            parts = halves(batch)
            assert all(len(part) for part in parts)
            todo += parts
    assert len(alone) == len({(id(s), i) for s, i in alone}) == sum(map(len, calls))


def test_a_batch_is_halved_between_channels_first() -> None:
    batch = next_batch(deque([submission("a", [0, 0, 0, 1])]), 9)
    assert [len(part) for part in halves(batch)] == [3, 1]


def test_a_call_is_done_when_its_last_window_is() -> None:
    call = submission("a", [0, 0])
    Batch(((call, 1),)).settle([WindowFailure("second")])
    assert not call.future.done()
    Batch(((call, 0),)).settle([WindowFailure("first")])
    assert call.future.result() == (WindowFailure("first"), WindowFailure("second"))
