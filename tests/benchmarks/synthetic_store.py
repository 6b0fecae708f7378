"""A store of many calls, for timing queries: turns of labelled calls and invented callers.

    python -m tests.benchmarks.synthetic_store --calls 100000 --out big-store

Ten segments a call, word times included. The calls of a day are the same 500 dialogues dealt
anew with other ids, times and callers; so text compresses better than a year of real calls.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from speechlytics.config import PhrasesConfig
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import (
    AudioFacts,
    CallActivity,
    CallAnalysis,
    ChannelActivity,
    Interval,
    Recording,
    Role,
    Segment,
    Silence,
    StageSha256,
    Transcript,
    Word,
)
from speechlytics.store import Store, tables_from

_DIALOGUES = Path(__file__).parents[1] / "data/dialogues/calls.jsonl"
_DICTIONARY_WORDS = 1500
_TEMPLATES = 500
_WORD_MS = 350
FIRST_DAY = date(2026, 8, 1)


class Dialogues:
    """Deals out calls: labelled turns, and between them words of theirs by Zipf's law."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        calls = [json.loads(line) for line in _DIALOGUES.read_text("utf-8").splitlines()]
        self._turns = [
            turn["text"]
            for call in calls
            if call["language"] == "ru"
            for turn in call["turns"]
            if turn["speaker"] != "ivr"
        ]
        words = _dictionary(self._turns)
        self._words = [words[i] for i in self._rng.permutation(len(words))]
        weights = 1 / (np.arange(len(words)) + 2.7)  # Zipf's law as Mandelbrot amended it
        self._shares = np.cumsum(weights / weights.sum())[:-1]

    def texts(self, segments: int, words: int, share_of_turns: float = 0.3) -> list[str]:
        """Texts of a call's segments, ``words`` in all."""
        each = words // segments
        said = []
        for _ in range(segments):
            tokens: list[str] = []
            while len(tokens) < each:
                if self._rng.random() < share_of_turns:
                    tokens += self._turns[self._rng.integers(len(self._turns))].split()
                else:
                    ranks = np.searchsorted(self._shares, self._rng.random(8))
                    tokens += [self._words[rank] for rank in ranks]
            said.append(" ".join(tokens[:each]))
        return said

    def analysis(
        self, call_id: str, day: date, *, segments: int = 60, words: int = 800
    ) -> CallAnalysis:
        """A transcribed call with silences and without hits, 3 minutes and more."""
        spoken = tuple(
            _segment(index, text) for index, text in enumerate(self.texts(segments, words))
        )
        duration_ms = spoken[-1].end_ms + 1000
        silences = tuple(
            Silence(at, at + int(length), "silence", "inner", "agent", "customer", False)
            for at, length in zip(
                range(0, duration_ms, 30_000), self._rng.exponential(6000, 99), strict=False
            )
            if length > 1000
        )
        at = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
        local = at.replace(tzinfo=None) + timedelta(hours=3)
        recording = Recording(
            call_id, (f"/calls/{call_id}.wav",), at, local, day,
            agent_id=f"a{self._rng.integers(200)}", customer_key="k", direction="inbound",
            queue="support", answered=True, wait_ms=int(self._rng.integers(60_000)),
        )  # fmt: skip
        channels = (ChannelActivity(0, "agent", (Interval(0, duration_ms),), ()),)
        return CallAnalysis(
            recording,
            "ok",
            facts=AudioFacts("0" * 64, "pcm_alaw", 8000, 2, duration_ms),
            activity=CallActivity(
                duration_ms, channels, silences, duration_ms // 2, duration_ms // 3, 0, 0
            ),
            transcript=Transcript(spoken, "ru", 1.0, "asr", "synthetic"),
            stage_sha256=StageSha256("a", "t", "p"),
        )


def _segment(index: int, text: str) -> Segment:
    role: Role = "agent" if index % 2 == 0 else "customer"
    tokens = text.split()
    start_ms = index * (len(tokens) * _WORD_MS + 500)
    words = tuple(
        Word(token, start_ms + n * _WORD_MS, start_ms + n * _WORD_MS + 300, 0.9)
        for n, token in enumerate(tokens)
    )
    end_ms = words[-1].end_ms
    return Segment(
        index, index % 2, role, start_ms, end_ms, text, "ru", -0.3, 0.1, 1.4, None, words
    )


def _dictionary(turns: list[str]) -> list[str]:
    """Words of the turns in all their forms."""
    from pymorphy3 import MorphAnalyzer

    analyser = MorphAnalyzer(lang="ru")
    known = sorted({word.lower() for turn in turns for word in re.findall(r"\w{3,}", turn)})
    forms = {
        form.word for word in known[:_DICTIONARY_WORDS] for form in analyser.parse(word)[0].lexeme
    }
    return sorted(forms)


def templates(seed: int = 0) -> dict[str, pa.Table]:
    """Rows of the dialogues that every day deals anew, ids ``0`` … ``499``, with their hits."""
    from dataclasses import replace

    dialogues = Dialogues(seed)
    matcher = Matcher(load_packs(), PhrasesConfig())
    calls = []
    for number in range(_TEMPLATES):
        call = dialogues.analysis(str(number), FIRST_DAY, segments=10, words=100)
        assert call.transcript is not None
        segments = call.transcript.segments
        hits = matcher.match(segments, duration_ms=segments[-1].end_ms + 1000, language="ru")
        calls.append(replace(call, hits=hits))
    return tables_from(calls, "synthetic")


def days(calls: int, count: int, seed: int = 0) -> Iterator[dict[str, pa.Table]]:
    """Tables of one day after another; customers call again within days."""
    made = templates(seed)
    rng = np.random.default_rng(seed)
    customers = max(1, calls // 2)
    for number in range(count):
        size = calls // count + (number < calls % count)
        yield _day(made, FIRST_DAY + timedelta(days=number), size, customers, rng)


def _day(
    made: dict[str, pa.Table], day: date, size: int, customers: int, rng: np.random.Generator
) -> dict[str, pa.Table]:
    parts: dict[str, list[pa.Table]] = {name: [] for name in made}
    for first in range(0, size, _TEMPLATES):
        kept = min(_TEMPLATES, size - first)
        seconds = rng.integers(0, 12 * 3600, kept)
        midnight = datetime(day.year, day.month, day.day, 5, tzinfo=UTC)
        at = [midnight + timedelta(seconds=int(s)) for s in seconds]
        for name, table in made.items():
            template = pc.cast(table.column("call_id"), pa.int32())
            rows = table.filter(pc.less(template, kept))
            ordinals = pc.cast(rows.column("call_id"), pa.int32()).to_numpy()
            ids = [f"{day:%m%d}-{first + n:06}" for n in range(kept)]
            new = {
                "call_id": pa.array(ids).take(pa.array(ordinals)),
                "call_date": pa.array([day] * len(rows), pa.date32()),
            }
            if name == "calls":
                new["started_at"] = pa.array(at, pa.timestamp("us", "UTC"))
                local = [t.replace(tzinfo=None) + timedelta(hours=3) for t in at]
                new["started_local"] = pa.array(local, pa.timestamp("us"))
                new["customer_key"] = pa.array(
                    [f"{k:032x}" for k in rng.integers(customers, size=kept)]
                )
                new["recording_uri"] = pa.array([f"/calls/{i}.wav" for i in ids])
            for column, values in new.items():
                field = rows.schema.field(column)
                rows = rows.set_column(rows.schema.get_field_index(column), field, values)
            parts[name].append(rows)
    return {name: pa.concat_tables(tables) for name, tables in parts.items()}


def build(root: Path, calls: int, count: int = 90) -> float:
    """Write the store, one publication a day; returns CPU seconds per call of publishing."""
    spent_s = 0.0
    with Store(root).writer("synthetic") as writer:
        for tables in days(calls, count):
            started = time.process_time()
            writer.publish(tables)
            spent_s += time.process_time() - started
    return spent_s / calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--out", type=Path, required=True)
    chosen = parser.parse_args()
    cpu_s = build(chosen.out, chosen.calls, chosen.days)
    print(f"{chosen.calls} calls in {chosen.out}; {cpu_s * 1e6:.0f} µs CPU per call published")


if __name__ == "__main__":
    main()
