"""Changed packs over stored calls: calls per second and core, and memory.

    python -m tests.benchmarks.rescore --calls 100000

200 phrases over calls of 800 words in 60 segments, on days of ``--per-day`` calls. The calls of a
day are the same ``--dialogues`` dealt anew with other ids; what the matcher works out about a word
serves all of them, as it does in a real store.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from speechlytics import nightly
from speechlytics.config import PhrasesConfig
from speechlytics.phrases import load_packs
from speechlytics.store import Store, tables_from
from tests.benchmarks import results
from tests.benchmarks.phrases import write_pack
from tests.benchmarks.synthetic_store import FIRST_DAY, Dialogues

SEGMENTS, WORDS = 60, 840  # 14 words a segment; 800 and more


def build(root: Path, dialogues: Dialogues, calls: int, per_day: int, distinct: int) -> int:
    """Write a store of transcribed calls without hits, a publication a day; returns its days."""
    made = tables_from(
        [
            dialogues.analysis(f"{n}", FIRST_DAY, segments=SEGMENTS, words=WORDS)
            for n in range(min(distinct, per_day))
        ],
        "synthetic",
    )
    days = -(-calls // per_day)
    with Store(root).writer("synthetic") as writer:
        for number in range(days):
            day = FIRST_DAY + timedelta(days=number)
            writer.publish(_day(made, day, min(per_day, calls - number * per_day)))
    return days


def _day(made: dict[str, pa.Table], day: date, size: int) -> dict[str, pa.Table]:
    """The dialogues dealt until the day has ``size`` calls."""
    distinct = made["calls"].num_rows
    parts: dict[str, list[pa.Table]] = {name: [] for name in made}
    for first in range(0, size, distinct):
        kept = pa.array([str(n) for n in range(min(distinct, size - first))])
        for name, table in made.items():
            rows = table.filter(pc.is_in(table.column("call_id"), kept))
            ids = [f"{day:%m%d}-{first + int(i):06}" for i in rows.column("call_id").to_pylist()]
            for column, values in (
                ("call_id", pa.array(ids, pa.string())),
                ("call_date", pa.array([day] * len(rows), pa.date32())),
            ):
                at = rows.schema.get_field_index(column)
                rows = rows.set_column(at, rows.schema.field(column), values)
            parts[name].append(rows)
    return {name: pa.concat_tables(tables) for name, tables in parts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--per-day", type=int, default=2000)
    parser.add_argument("--dialogues", type=int, default=1000, help="distinct calls")
    chosen = parser.parse_args()
    dialogues = Dialogues(seed=5)
    with tempfile.TemporaryDirectory() as scratch:
        folder, root = Path(scratch) / "packs", Path(scratch) / "store"
        phrases = write_pack(folder, dialogues)
        days = build(root, dialogues, chosen.calls, chosen.per_day, chosen.dialogues)
        store, packs = Store(root), load_packs([folder])
        before_mb = _peak_mb()
        cpu, wall = time.process_time(), time.monotonic()
        done, _ = nightly.rescore(store, packs, PhrasesConfig())
        cpu, wall = time.process_time() - cpu, time.monotonic() - wall
        hits = store.read("phrase_hits", columns=["call_id"]).num_rows
        figures = {
            "calls per CPU-second": done / cpu,
            "calls per second": done / wall,
            "calls": done,
            "hits": hits,
            "peak memory, MB": _peak_mb(),
            "peak memory while building, MB": before_mb,
        }
    note = f"{len(phrases)} phrases, {WORDS} words a call, {days} days, one process"
    results.append("rescore", "Russian", figures, note)


def _peak_mb() -> float:
    """Most memory that this process ever held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
