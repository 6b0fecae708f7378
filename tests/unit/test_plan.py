"""What a run has to do, given the source and the store."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from speechlytics.nightly._plan import Known, Selection, metadata_of, plan
from speechlytics.records import Recording, StageSha256

NOW = StageSha256(activity="a1", transcript="t1", phrases="p1")
CALL = Recording(
    call_id="c1",
    uris=("/calls/c1.wav",),
    started_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
    started_local=datetime(2026, 11, 20, 12),
    call_date=date(2026, 11, 20),
    agent_id="A1",
    audio_size_bytes=1000,
    audio_modified_at=datetime(2026, 11, 20, 10, tzinfo=UTC),
)
ALL = Selection()
DONE = Known("ok", None, 1000, CALL.audio_modified_at, NOW, CALL.call_date, metadata_of(CALL))


def _one(recording: Recording, known: Known | None, selection: Selection = ALL) -> str:
    tasks = list(plan([recording], {} if known is None else {"c1": known}, NOW, selection))
    assert len(tasks) == 1
    return tasks[0].action


@pytest.mark.parametrize(
    ("recording", "known", "action"),
    [
        (CALL, None, "analyze"),
        (CALL, DONE, "nothing"),
        (replace(CALL, audio_size_bytes=1001), DONE, "analyze"),
        (replace(CALL, audio_modified_at=datetime(2026, 11, 21, tzinfo=UTC)), DONE, "analyze"),
        (CALL, replace(DONE, stage_sha256=replace(NOW, activity="a0")), "analyze"),
        (CALL, replace(DONE, stage_sha256=replace(NOW, transcript="t0")), "analyze"),
        (CALL, replace(DONE, stage_sha256=replace(NOW, phrases="p0")), "rescore"),
        (replace(CALL, csat=2.0), DONE, "rescore"),
        (CALL, replace(DONE, status="failed", failed_stage="decode"), "nothing"),
        (CALL, replace(DONE, status="failed", failed_stage="source"), "analyze"),
        (
            replace(CALL, problem="twice"),
            replace(DONE, status="failed", failed_stage="source"),
            "nothing",
        ),
    ],
)
def test_only_what_is_affected_is_done_again(
    recording: Recording, known: Known | None, action: str
) -> None:
    assert _one(recording, known) == action


def test_failed_calls_are_tried_again_on_request() -> None:
    failed = replace(DONE, status="failed", failed_stage="decode")
    assert _one(CALL, failed, Selection(retry_failed=True)) == "analyze"


def test_selection_by_date_and_limit() -> None:
    calls = [
        replace(CALL, call_id=f"c{day}", call_date=date(2026, 11, day)) for day in range(1, 11)
    ]

    def chosen(selection: Selection) -> list[str]:
        return [task.recording.call_id for task in plan(calls, {}, NOW, selection)]

    assert chosen(Selection(day=date(2026, 11, 3))) == ["c3"]
    assert chosen(Selection(since=date(2026, 11, 9))) == ["c9", "c10"]
    assert chosen(Selection(limit=2)) == ["c1", "c2"]


def test_limit_counts_work_not_calls_that_are_done() -> None:
    calls = [replace(CALL, call_id="c1"), replace(CALL, call_id="c2")]
    tasks = list(plan(calls, {"c1": DONE}, NOW, Selection(limit=1)))
    assert [task.action for task in tasks] == ["nothing", "analyze"]


def test_an_acoustic_only_run_keeps_transcripts() -> None:
    settings = StageSha256(activity="a1", transcript=None, phrases=None)
    tasks = list(plan([CALL], {"c1": DONE}, settings, ALL))
    assert [task.action for task in tasks] == ["nothing"]
