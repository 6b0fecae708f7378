"""map(function, items) over processes that may crash, hang or eat the machine's memory.

Knows nothing of speech, Arrow or DuckDB: a function, its items, and what became of each.
"""

from __future__ import annotations

from speechlytics.runner._local import LocalRunner, available_cores
from speechlytics.runner._outcome import Outcome, OutcomeKind, Runner
from speechlytics.runner._ray import ActorNeeds, ClusterSize, RayRunner, cluster

__all__ = [
    "ActorNeeds",
    "ClusterSize",
    "LocalRunner",
    "Outcome",
    "OutcomeKind",
    "RayRunner",
    "Runner",
    "available_cores",
    "cluster",
]
