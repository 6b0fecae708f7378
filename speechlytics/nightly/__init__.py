"""The nightly run: config → source → stages → store → exports."""

from __future__ import annotations

from speechlytics.nightly._diff import RuleChange, calls_changed, rules_diff
from speechlytics.nightly._export_vcon import export_vcons
from speechlytics.nightly._forget import Erasure, Forgettable, customer_keys, forget
from speechlytics.nightly._import import (
    Reading,
    Taken,
    import_reviews,
    import_transcripts,
    parse_speakers,
)
from speechlytics.nightly._import_vcon import import_vcons
from speechlytics.nightly._job import Progress, run, tasks
from speechlytics.nightly._night import Night, key_file, local_runner, open_night
from speechlytics.nightly._plan import Selection, Task
from speechlytics.nightly._report import FailedCall, Report
from speechlytics.nightly._rescore import rescore, rescored, stored_analysis
from speechlytics.nightly._vcon_calls import VconReading

__all__ = [
    "Erasure",
    "FailedCall",
    "Forgettable",
    "Night",
    "Progress",
    "Reading",
    "Report",
    "RuleChange",
    "Selection",
    "Taken",
    "Task",
    "VconReading",
    "calls_changed",
    "customer_keys",
    "export_vcons",
    "forget",
    "import_reviews",
    "import_transcripts",
    "import_vcons",
    "key_file",
    "local_runner",
    "open_night",
    "parse_speakers",
    "rescore",
    "rescored",
    "rules_diff",
    "run",
    "stored_analysis",
    "tasks",
]
