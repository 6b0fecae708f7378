"""Writes measured figures into the model card, between markers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

FIGURES = "figures.json"
SCALING = "scaling.csv"
_OPEN, _CLOSE = "<!-- figures: begin -->", "<!-- figures: end -->"
_NAMES = {"ru": "Russian", "en": "English", "uk": "Ukrainian", "hu": "Hungarian"}


def write(card: Path, figures: dict[str, Any], curve: list[dict[str, str]]) -> None:
    """Replaces what stands between the markers of `card`; raises ValueError without markers."""
    page = card.read_text(encoding="utf-8")
    if _OPEN not in page or _CLOSE not in page:
        raise ValueError(f"{card}: no {_OPEN} … {_CLOSE}; put both lines where the tables belong")
    before, rest = page.split(_OPEN, 1)
    after = rest.split(_CLOSE, 1)[1]
    tables = [*_training(figures), *_sentences(figures), *_others(figures), *_wordless(figures)]
    body = "\n".join([*tables, *_scaling(curve)])
    card.write_text(f"{before}{_OPEN}\n{body}\n{_CLOSE}{after}", encoding="utf-8")


def _training(figures: dict[str, Any]) -> list[str]:
    run = figures.get("training")
    if run is None:
        return []
    return [
        (
            f"Trained on {run['windows']:,} windows ({run['audio_h']:,.0f} hours of generated "
            f"speech) in {run['minutes']:.0f} minutes, {run['parameters'] / 1e6:.1f} million "
            "parameters."
        ),
        "",
    ]


def _sentences(figures: dict[str, Any]) -> list[str]:
    rows = [
        (
            "Single sentences on a telephone line (band, noise, A-law), beam 5: word error rate, "
            "character error rate, per cent."
        ),
        "",
        "| language | set | n | WER | CER | loops |",
        "| --- | --- | --: | --: | --: | --: |",
    ]
    for language, found in figures["languages"].items():
        for name, row in found["sentences"].items():
            values = f"{row['n']} | {row['wer']} | {row['cer']} | {row['loops']}"
            rows.append(f"| {_NAMES[language]} | {name} | {values} |")
    return [*rows, ""]


def _others(figures: dict[str, Any]) -> list[str]:
    rows = [
        (
            "Calls of ten sentences of known templates in new combinations, through "
            "faster-whisper's own windows; median errors of word and segment starts; language "
            "detection on 3 s and more."
        ),
        "",
        "| language | calls | WER | word start | segment start | language right |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    for language, found in figures["languages"].items():
        call, told = found["calls"], found["detection"]
        rows.append(
            f"| {_NAMES[language]} | {call['n']} | {call['wer']} | {call['word_start_s']} s "
            f"| {call['segment_start_s']} s | {told['right']} % of {told['n']} |"
        )
    return [*rows, ""]


def _wordless(figures: dict[str, Any]) -> list[str]:
    kinds: dict[str, list[int]] = {}
    for found in figures["wordless"].values():
        for kind, row in found.items():
            total = kinds.setdefault(kind, [0, 0])
            total[0] += row["with_text"]
            total[1] += row["n"]
    rows = [
        "Recordings of 20 s in which nobody speaks, and how many came back with text.",
        "",
        "| kind | with text | of |",
        "| --- | --: | --: |",
    ]
    rows += [f"| {kind} | {told} | {of} |" for kind, (told, of) in kinds.items()]
    return [*rows, ""]


def _scaling(curve: list[dict[str, str]]) -> list[str]:
    if not curve:
        return []
    columns = list(curve[0])
    rows = [
        (
            "Word error rate against windows seen (beam 1, a dozen sentences a figure: read the "
            "trend); "
            "`templates` are held-out templates, `natural` held-back dialogue turns."
        ),
        "",
        "| " + " | ".join(column.replace("_", " ") for column in columns) + " |",
        "| " + " | ".join("--:" for _ in columns) + " |",
    ]
    rows += ["| " + " | ".join(row[column] for column in columns) + " |" for row in curve]
    return [*rows, ""]


def read_curve(path: Path) -> list[dict[str, str]]:
    """Rows of the scaling curve; empty when none was measured."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append_curve(path: Path, row: dict[str, Any]) -> None:
    """Adds one point to the scaling curve."""
    fresh = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(row))
        if fresh:
            writer.writeheader()
        writer.writerow(row)


def save(path: Path, figures: dict[str, Any]) -> None:
    """Keeps the figures as JSON beside the run."""
    path.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
