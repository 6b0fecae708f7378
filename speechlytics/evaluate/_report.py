"""Figures as a table for people and as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from speechlytics.errors import ConfigError
from speechlytics.evaluate._figures import ALL, Figure, figures, judge
from speechlytics.evaluate._observed import observe
from speechlytics.evaluate._truth import TrueCall

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Report:
    """Figures, with how many of the labelled calls were there to be judged."""

    figures: tuple[Figure, ...]
    calls: int
    missing: tuple[str, ...]

    def value(self, group: str, name: str, *, of: str = "", language: str = ALL) -> float | None:
        """One figure's value; ``None`` if it was not measured."""
        wanted = (group, name, of, language)
        for f in self.figures:
            if (f.group, f.name, f.of, f.language) == wanted:
                return f.value
        return None

    def to_json(self) -> str:
        """All figures as one JSON object."""
        rows = [asdict(figure) for figure in self.figures]
        content = {"calls": self.calls, "missing": list(self.missing), "figures": rows}
        return json.dumps(content, ensure_ascii=False, indent=2)

    def tables(self, *, detail: bool = False) -> Iterator[Table]:
        """A rich table per language; ``detail`` adds categories and rules."""
        from rich.table import Table

        for language in dict.fromkeys(figure.language for figure in self.figures):
            table = Table(
                "what", "measure", "value", "95 %", "cases", title=f"language: {language}"
            )
            for figure in self.figures:
                if figure.language == language and (detail or not figure.of):
                    table.add_row(
                        f"{figure.group} {figure.of}".strip(),
                        figure.name,
                        _number(figure.value),
                        f"{_number(figure.low)} … {_number(figure.high)}",
                        str(figure.count),
                    )
            yield table


def evaluate(truth: Sequence[TrueCall], tables: Mapping[str, pa.Table]) -> Report:
    """Measure rows of ours against labelled calls.

    Args:
        truth: Labelled calls (``read_truth``).
        tables: Rows of those calls: ``tables_from_store`` or ``tables_of`` analyses. Earlier
            calls of the same customers should be among them, or repeats cannot be seen.

    Raises:
        ConfigError: none of the labelled calls is among the rows.
    """
    observed = observe(tables)
    judged = judge(truth, observed)
    if not judged:
        raise ConfigError(
            f"none of the {len(truth)} labelled calls is in the store; "
            "the truth's call_id must be the store's"
        )
    missing = tuple(call.call_id for call in truth if call.call_id not in observed)
    return Report(figures(judged), len(judged), missing)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:.0f}" if value >= 10 else f"{value:.3f}"
