"""A view as a file: CSV, JSON lines, XLSX or Parquet, whole or not at all.

With ``new`` a target gets each row once, however often a run is repeated or killed; see
:mod:`speechlytics.export._cursor` for how.
"""

from __future__ import annotations

from speechlytics.export._export import ALIASES, Exported, Form, export
from speechlytics.export._forget import forget_delivered
from speechlytics.export._formats import WRITERS

__all__ = ["ALIASES", "WRITERS", "Exported", "Form", "export", "forget_delivered"]
