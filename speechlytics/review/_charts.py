"""Small charts as inline SVG: drawn by pygal, coloured by the page's own style sheet."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal
from xml.etree import ElementTree as ET

Kind = Literal["line", "bar", "across"]
WIDTH, HEIGHT = 400, 200
ROW_HEIGHT = 26
"""Height of one bar of a chart across, with its gap, px."""
MOST_LABELS = 8
_SVG = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True, slots=True)
class Series:
    """Values of one line or one colour of bars; ``None`` where nothing was measurable."""

    name: str
    values: Sequence[float | None]


def draw(
    kind: Kind,
    labels: Sequence[str],
    series: Sequence[Series],
    title: str,
    write: Callable[[float], str],
    *,
    top: float | None = None,
) -> str:
    """An ``<svg>`` without scripts, styles or addresses; ``write`` puts values into words.

    Args:
        kind: Lines, bars, or bars across with their labels at the left.
        labels: One per value.
        series: What is drawn.
        title: Read aloud by screen readers.
        write: A value as shown on the axis and in tooltips.
        top: Highest value of the axis, where it has a natural one.
    """
    pygal, style = _pygal()
    made: dict[Kind, Any] = {
        "line": pygal.Line, "bar": pygal.Bar, "across": pygal.HorizontalBar,
    }  # fmt: skip
    across = kind == "across"
    step = max(1, -(-len(labels) // MOST_LABELS))
    chart = made[kind](
        width=WIDTH,
        height=max(110, ROW_HEIGHT * len(labels) + 40) if across else HEIGHT,
        css=(), js=(), disable_xml_declaration=True, no_prefix=True,
        show_legend=False, margin=6, spacing=4, dots_size=2.4,
        min_scale=2, max_scale=4, range=(0, top or _ceiling(series)),
        x_labels_major_every=None if across else step,
        show_minor_x_labels=across or step == 1,
        truncate_label=18, value_formatter=write, allow_interruptions=True,
        style=style(label_font_size=12, major_label_font_size=12, value_font_size=12),
    )  # fmt: skip
    shown = list(reversed(labels)) if across else list(labels)
    chart.x_labels = shown
    for one in series:
        values = list(reversed(one.values)) if across else list(one.values)
        chart.add(one.name, values)
    return _plain(chart.render_tree(), title)


@cache
def _pygal() -> tuple[Any, Any]:
    """The library and its style, without the import hook that it leaves behind.

    The hook serves maps as plug-ins; on Python 3.11 it slows and warns at every later import.
    """
    import pygal  # type: ignore[import-untyped]  # it ships no types
    from pygal.style import Style  # type: ignore[import-untyped]  # as above

    sys.meta_path[:] = [hook for hook in sys.meta_path if type(hook).__module__ != "pygal"]
    return pygal, Style


def _ceiling(series: Sequence[Series]) -> float:
    known = [value for one in series for value in one.values if value is not None]
    return max(known, default=0.0) * 1.08 or 1.0


def _plain(tree: Any, title: str) -> str:
    """Take out what a strict policy refuses, and name the picture."""
    text = ET.tostring(tree, encoding="unicode")
    root = ET.fromstring(text)  # noqa: S314 - our own drawing
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in {f"{_SVG}script", f"{_SVG}style", f"{_SVG}defs"}:
                parent.remove(child)
        parent.attrib.pop("style", None)
    root.attrib.pop("id", None)
    root.set("role", "img")
    name = ET.Element(f"{_SVG}title")
    name.text = title
    root.insert(0, name)
    ET.register_namespace("", "http://www.w3.org/2000/svg")
    return ET.tostring(root, encoding="unicode")
