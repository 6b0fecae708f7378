"""Rows of figures, one JSON object a line: what was measured, with which command, on what."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

FILE = Path(__file__).parent / "results.jsonl"
_ROOT = Path(__file__).parents[2]
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def append(benchmark: str, variant: str, figures: dict[str, float], note: str = "") -> None:
    """Print the figures of a run and add them to the file."""
    row = {
        "benchmark": benchmark,
        "variant": variant,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "command": " ".join(["python -m", f"tests.benchmarks.{benchmark}", *_arguments()]),
        "machine": _machine(),
        "note": note,
        "figures": {name: float(f"{value:.4g}") for name, value in figures.items()},
    }
    with FILE.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row, ensure_ascii=False) + "\n")
    print(f"{benchmark} / {variant}: {row['machine']}")
    for name, value in row["figures"].items():
        print(f"  {name:45} {value:g}")


def latest() -> list[dict[str, Any]]:
    """The last row of every benchmark and variant, in a fixed order."""
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    last = {(row["benchmark"], row["variant"]): row for row in rows}
    return [last[key] for key in sorted(last)]


def ratios(figures: dict[str, list[float]], numerator: str, denominator: str) -> list[float]:
    """Ratio of each pair of rounds."""
    return [a / b for a, b in zip(figures[numerator], figures[denominator], strict=True)]


def medians(figures: dict[str, list[float]]) -> dict[str, float]:
    """Median of the rounds of every figure."""
    return {name: median(values) for name, values in figures.items()}


def tree_cpu_s() -> float:
    """CPU seconds of this process and of all its descendants that run (Linux)."""
    parents: dict[int, int] = {}
    ticks: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        pid = int(path.parent.name)
        parents[pid], ticks[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    return sum(ticks[pid] for pid in _family(parents)) / _TICKS_PER_S


def tree_memory_mb() -> float:
    """Private and shared resident memory of this process and its descendants, MB (Linux)."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    return sum(_proportional_kb(pid) for pid in _family(parents)) / 1024


def _proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))


def _family(parents: dict[int, int]) -> Iterable[int]:
    family = {os.getpid()}
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in family} - family
        family |= more
        grown = bool(more)
    return family


def _arguments() -> list[str]:
    """The command's arguments without those that only say where something lies here."""
    given = sys.argv[1:]
    return [
        word
        for before, word in zip(["", *given], given, strict=False)
        if not {before, word} & {"--models", "--store", "--small"}
    ]


def _commit() -> str:
    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", *words], check=False, cwd=_ROOT, capture_output=True, text=True
        )
        return done.stdout.strip()

    changed = "+" if git("status", "--porcelain", "--untracked-files=no", "speechlytics") else ""
    return git("rev-parse", "--short", "HEAD") + changed


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0))
    load = os.getloadavg()[0]
    return f"{cores} × {names[0] if names else platform.machine()}, load {load:.1f}"
