"""Proposes reason weights from QA's verdicts. Prints what it would change; applies nothing.

A regularised logistic regression learns from which reasons a call has (each with the factor that
``call_reasons`` gave it: how late, how harmful) whether QA said ``unresolved``. Its penalty pulls
towards the present weights, not towards zero: with few verdicts little changes, and a reason that
no verdict speaks about keeps its weight.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from speechlytics.errors import ConfigError

if TYPE_CHECKING:
    import duckdb
    from rich.table import Table

MIN_VERDICTS = 20  # of each kind: fewer do not carry even one weight
STRENGTH = 1.0  # scikit-learn's C: weight of the verdicts against the present weights
FOLDS = 5
MAX_FACTOR = 3.0  # one calibration never turns a reason's sign, nor more than triples it


@dataclass(frozen=True, slots=True)
class Change:
    """One reason: its weight now, the weight proposed, and on how many reviewed calls it rests."""

    reason: str
    weight: float
    proposed: float
    calls: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """Proposed weights, and how well old and new ones rank the reviewed calls.

    Average precision is the mean over folds; the new weights were learned without the fold that
    they rank.
    """

    changes: tuple[Change, ...]
    verdicts: int
    average_precision_now: float
    average_precision_proposed: float

    def table(self) -> Table:
        """For people."""
        from rich.table import Table

        table = Table("reason", "weight", "proposed", "change", "calls")
        for change in sorted(self.changes, key=lambda c: -abs(c.proposed - c.weight)):
            table.add_row(
                change.reason,
                f"{change.weight:+.2f}",
                f"{change.proposed:+.2f}",
                f"{change.proposed - change.weight:+.2f}",
                str(change.calls),
            )
        table.caption = (
            f"{self.verdicts} verdicts; average precision {self.average_precision_now:.3f} now, "
            f"{self.average_precision_proposed:.3f} proposed (cross-validated). Nothing was "
            "changed: weights stand in reason_weights.sql and in the packs."
        )
        return table


def propose(connection: duckdb.DuckDBPyConnection) -> Proposal:
    """Learn weights from the latest verdict of every reviewed call.

    Args:
        connection: An open catalog.

    Raises:
        ConfigError: scikit-learn is not installed, or there are too few verdicts to learn from.
    """
    try:
        import sklearn  # noqa: F401 - asked for before the work, not after it
    except ImportError as error:
        raise ConfigError(
            "calibrate needs scikit-learn; install it with: pip install 'speechlytics[calibrate]'"
        ) from error
    cases = _reviewed(connection)
    unresolved = sum(case.unresolved for case in cases)
    if min(unresolved, len(cases) - unresolved) < MIN_VERDICTS:
        raise ConfigError(
            f"{unresolved} calls were judged unresolved and {len(cases) - unresolved} resolved; "
            f"calibrate needs {MIN_VERDICTS} of each. Bring verdicts in with `import reviews`, "
            "drawn at random rather than from the top of the list"
        )
    return _learn(cases)


@dataclass(frozen=True, slots=True)
class _Case:
    """A reviewed call: per reason its points, and the full weight they are a share of."""

    unresolved: bool
    points: dict[str, float]
    full: dict[str, float]


def _reviewed(connection: duckdb.DuckDBPyConnection) -> list[_Case]:
    rows = connection.execute(
        """
        WITH verdict AS (
            SELECT call_id, arg_max(verdict, (reviewed_at, review_id)) AS verdict
            FROM reviews
            WHERE verdict IN ('resolved', 'unresolved')
            GROUP BY call_id
        ),
        full_weight AS (
            SELECT reason, rule_id, weight FROM reason_weights
        )
        SELECT
            verdict.call_id,
            verdict.verdict = 'unresolved',
            given.reason,
            given.weight,
            coalesce(by_rule.weight, by_reason.weight)
        FROM verdict
        JOIN calls USING (call_id)
        LEFT JOIN call_reasons() AS given USING (call_id)
        LEFT JOIN full_weight AS by_rule ON by_rule.rule_id = given.rule_id
        LEFT JOIN full_weight AS by_reason
            ON by_reason.rule_id IS NULL AND by_reason.reason = given.reason
        WHERE calls.status = 'ok'
        ORDER BY verdict.call_id, given.reason
        """
    ).fetchall()
    points: dict[str, dict[str, float]] = defaultdict(dict)
    full: dict[str, dict[str, float]] = defaultdict(dict)
    verdicts: dict[str, bool] = {}
    for call_id, unresolved, reason, weight, whole in rows:
        verdicts[call_id] = unresolved
        if reason is not None and whole:
            points[call_id][reason] = weight
            full[call_id][reason] = whole
    return [_Case(verdicts[c], points[c], full[c]) for c in verdicts]


def _learn(cases: list[_Case]) -> Proposal:
    """Fit on the share of each reason that applied, with the present score as the prior.

    Penalising the distance to the present weights is the same as fitting, with the usual
    penalty on zero, what the present weights leave to be explained: columns are scaled by them,
    and a first column carries the present score with almost no penalty.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.model_selection import StratifiedKFold

    reasons = sorted({reason for case in cases for reason in case.points})
    labels = np.array([case.unresolved for case in cases])
    present = np.array([[case.points.get(r, 0.0) for r in reasons] for case in cases])
    now = present.sum(axis=1)
    prior_scale = 100.0  # a big column needs a small coefficient, which the penalty hardly sees
    columns = np.column_stack([now * prior_scale, present])

    def factors(chosen: np.ndarray) -> np.ndarray:
        """Factor per reason by which its present weight should be multiplied."""
        model = LogisticRegression(C=STRENGTH, solver="newton-cholesky", max_iter=200)
        model.fit(columns[chosen], labels[chosen])
        shared = max(model.coef_[0][0] * prior_scale, 1e-6)
        factor: np.ndarray = np.clip(1 + model.coef_[0][1:] / shared, 0.0, MAX_FACTOR)
        return factor

    every = np.arange(len(cases))
    before, after = [], []
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    for learn, judge in folds.split(present, labels):
        before.append(average_precision_score(labels[judge], now[judge]))
        after.append(average_precision_score(labels[judge], present[judge] @ factors(learn)))
    final = factors(every)
    changes = []
    for reason, factor in zip(reasons, final, strict=True):
        weights = [case.full[reason] for case in cases if reason in case.full]
        weight = sum(weights) / len(weights)
        changes.append(
            Change(reason, round(weight, 2), round(weight * float(factor), 2), len(weights))
        )
    return Proposal(
        tuple(changes),
        len(cases),
        float(np.mean(before)),
        float(np.mean(after)),
    )
