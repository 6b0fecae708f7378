"""map(function, items) over processes that may crash, hang or eat the machine's memory.

Knows nothing of speech, Arrow or DuckDB: a function, its items, and what became of each.
"""

from __future__ import annotations

from speechlytics.runner._local import LocalRunner, available_cores
from speechlytics.runner._outcome import Outcome, OutcomeKind, Runner

__all__ = ["LocalRunner", "Outcome", "OutcomeKind", "Runner", "available_cores"]
