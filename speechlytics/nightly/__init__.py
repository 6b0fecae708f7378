"""The nightly run: config → source → stages → store → exports."""

from __future__ import annotations

from speechlytics.nightly._job import (
    Night,
    Progress,
    key_file,
    local_runner,
    open_night,
    run,
    tasks,
)
from speechlytics.nightly._plan import Selection, Task
from speechlytics.nightly._report import FailedCall, Report
from speechlytics.nightly._rescore import rescored, stored_analysis

__all__ = [
    "FailedCall",
    "Night",
    "Progress",
    "Report",
    "Selection",
    "Task",
    "key_file",
    "local_runner",
    "open_night",
    "rescored",
    "run",
    "stored_analysis",
    "tasks",
]
