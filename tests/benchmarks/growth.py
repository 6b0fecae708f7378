"""Does the cost of a call stay the same as the night grows? Memory and CPU at 10, 100 and 1,000.

    python -m tests.benchmarks.growth            # 10 and 100 calls
    python -m tests.benchmarks.growth --long     # 1,000 as well

The whole nightly job: files, worker processes, the shipped model, phrases, store. Memory is the
largest sum over all processes, shared pages counted once.
"""

from __future__ import annotations

import argparse
import itertools
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Self

from speechlytics import nightly
from speechlytics.config import Config, RunConfig, SourceConfig, StoreConfig, TranscribeConfig
from tests.benchmarks import results, spoken

_LOOK_EVERY_S = 0.5


class Peak:
    """Watches the memory of all processes while a block runs."""

    def __init__(self) -> None:
        self.mb = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._stop.wait(_LOOK_EVERY_S):
            self.mb = max(self.mb, results.tree_memory_mb())

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def night(folder: Path, calls: int, seconds: int) -> tuple[float, float]:
    """Peak memory, MB, and CPU seconds of a night of ``calls`` recordings."""
    recordings = folder / f"recordings-{calls}"
    recordings.mkdir()
    originals = [
        spoken.write_wav(folder / f"original-{n}.wav", spoken.call(n, seconds), "a")
        for n in range(min(calls, 10))
    ]
    for number in range(calls):
        copy = recordings / f"call-{number:05}.wav"
        shutil.copyfile(originals[number % len(originals)], copy)
        with copy.open("r+b") as file:  # another recording, not the same one again
            file.seek(200)
            file.write(number.to_bytes(4, "little"))
    config = Config(
        source=SourceConfig(path=str(recordings)),
        store=StoreConfig(path=str(folder / f"store-{calls}")),
        transcribe=TranscribeConfig(languages=("ru",), beam_size=1),
        run=RunConfig(),
    )
    before_s = results.tree_cpu_s() + _ended_cpu_s()
    with Peak() as peak:
        report = nightly.run(config, nightly.Selection())
    assert report.counts == {"ok": calls}, report.counts
    return peak.mb, results.tree_cpu_s() + _ended_cpu_s() - before_s


def _ended_cpu_s() -> float:
    import resource

    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--long", action="store_true", help="1,000 calls as well")
    parser.add_argument("--seconds", type=int, default=20, help="length of a call")
    chosen = parser.parse_args()
    sizes = [10, 100, 1000] if chosen.long else [10, 100]
    figures: dict[str, float] = {}
    peaks, costs = {}, {}
    with tempfile.TemporaryDirectory() as scratch:
        for calls in sizes:
            peaks[calls], cpu_s = night(Path(scratch), calls, chosen.seconds)
            costs[calls] = cpu_s
            figures[f"{calls} calls: peak memory, MB"] = peaks[calls]
            figures[f"{calls} calls: CPU s per call"] = cpu_s / calls
    for few, many in itertools.pairwise(sizes):
        figures[f"memory, {many} calls / {few} calls"] = peaks[many] / peaks[few]
        # What a night costs before its first call is left out.
        marginal = (costs[many] - costs[few]) / (many - few)
        figures[f"CPU s per further call, {few} to {many}"] = marginal
    results.append(
        "growth",
        "long" if chosen.long else "short",
        figures,
        f"shipped model, stereo calls of {chosen.seconds} s",
    )


if __name__ == "__main__":
    main()
