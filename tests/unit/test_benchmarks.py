"""The benchmarks' own promises; the benchmarks themselves are never part of the check."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from speechlytics.audio import decode
from speechlytics.config import AudioConfig
from tests.benchmarks import results, spoken, table


def test_the_page_says_what_the_results_say() -> None:
    assert table.PAGE.read_text("utf-8") == table.page()


def test_every_aim_stands_on_the_page_measured_or_not() -> None:
    page = table.page()
    for benchmark, name in table.AIMS:
        assert f"| {name} |" in page or f"- {benchmark}: {name}" in page


def test_a_missed_aim_is_said_to_be_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = {
        "benchmark": "growth", "variant": "v", "command": "c", "note": "n", "commit": "1",
        "at": "2026-11-22T00:00:00", "machine": "m",
        "figures": {"memory, 1000 calls / 100 calls": 2.0},
    }  # fmt: skip
    monkeypatch.setattr(results, "latest", lambda: [row])
    assert "| memory, 1000 calls / 100 calls | 2 | ≤ 1.1 | **no** |" in table.page()


def test_only_the_last_run_of_a_variant_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(results, "FILE", tmp_path / "results.jsonl")
    for value in (1.0, 2.0):
        results.append("growth", "v", {"x": value})
    results.append("growth", "w", {"x": 3.0})
    assert [row["figures"]["x"] for row in results.latest()] == [2.0, 3.0]


@pytest.mark.parametrize("law", ["", "a", "mu"])
def test_generated_calls_are_what_our_decoder_reads(law: str, tmp_path: Path) -> None:
    samples = spoken.call(1, 5)
    path = spoken.write_wav(tmp_path / "call.wav", samples, law)
    heard = decode([str(path)], AudioConfig()).samples
    if law:  # G.711 keeps 38 dB
        noise = (
            np.square(heard.astype(float) - samples).mean()
            / np.square(samples.astype(float)).mean()
        )
        assert noise < 10**-3.3
    else:
        np.testing.assert_array_equal(heard, samples)
