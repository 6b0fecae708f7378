"""How good are the results? Figures with confidence intervals against labelled calls.

    truth = read_truth(Path("calls.jsonl"))
    report = evaluate(truth, tables_from_store(connection, [call.call_id for call in truth]))
    print(report.to_json())

Phrases count at turn level (a category is found if a hit lies in the labelled turn), silences and
holds by overlap in time (IoU ≥ 0.8), the unresolved ranking as average precision and at the
default cut, also as if the customer's thanks had never been heard. Intervals are 95 % percentile
bootstraps over calls.
"""

from __future__ import annotations

from speechlytics.evaluate._figures import Figure
from speechlytics.evaluate._observed import tables_from_store, tables_of
from speechlytics.evaluate._report import Report, evaluate
from speechlytics.evaluate._truth import TrueCall, TrueSilence, TrueTurn, read_truth

__all__ = [
    "Figure",
    "Report",
    "TrueCall",
    "TrueSilence",
    "TrueTurn",
    "evaluate",
    "read_truth",
    "tables_from_store",
    "tables_of",
]
