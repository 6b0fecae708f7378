"""What a machine has decides how many engines, threads and windows there are; settings overrule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from faster_whisper import WhisperModel

from speechlytics.config import TranscribeConfig
from speechlytics.transcribe import decoder, engine_settings
from speechlytics.transcribe.decoder import Decoder
from speechlytics.transcribe.whisper import WhisperEngine


@dataclass
class Machine:
    """What CTranslate2 was asked for; loads on the CPU whatever that was."""

    asked: dict[str, Any]

    def load(self, folder: str, **asked: Any) -> WhisperModel:
        self.asked = asked
        return WhisperModel(folder, device="cpu", compute_type="int8", cpu_threads=1)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    fake = Machine({})
    monkeypatch.setattr(decoder, "WhisperModel", fake.load)
    monkeypatch.setattr(decoder, "_cores", lambda: 6)
    return fake


def has_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(decoder.ctranslate2, "get_cuda_device_count", lambda: count)


@pytest.mark.parametrize(
    ("gpus", "keys", "devices", "device", "workers", "compute_type"),
    [
        (0, {}, 1, "cpu", 6, "int8"),
        (0, {"cpu_threads": 3}, 1, "cpu", 3, "int8"),
        (2, {}, 2, "cuda", 1, "float16"),
        (4, {"gpus": 3}, 3, "cuda", 1, "float16"),
        (1, {"gpus": 3}, 1, "cuda", 1, "float16"),
        (2, {"device": "cpu"}, 1, "cpu", 6, "int8"),
        (2, {"compute_type": "int8_float16"}, 2, "cuda", 1, "int8_float16"),
    ],
)
def test_one_engine_per_gpu_else_one_worker_per_core(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    keys: dict[str, Any],
    devices: int,
    device: str,
    workers: int,
    compute_type: str,
) -> None:
    has_gpus(monkeypatch, gpus)
    chosen = Decoder(engine_settings(TranscribeConfig(**keys)))
    assert chosen.devices == devices
    assert machine.asked["device"] == device
    assert machine.asked["num_workers"] == workers
    assert machine.asked["compute_type"] == compute_type
    assert machine.asked["cpu_threads"] == 1


@pytest.mark.parametrize(
    ("gpus", "keys", "windows"),
    [
        (0, {}, 2 * 6 * 16),
        (0, {"batch_size": 4, "cpu_threads": 2}, 2 * 2 * 4),
        (1, {}, 2 * 2 * 32),
        (1, {"batch_size": 64}, 2 * 2 * 64),
    ],
)
def test_batches_fill_what_there_is(
    machine: Machine,
    monkeypatch: pytest.MonkeyPatch,
    gpus: int,
    keys: dict[str, Any],
    windows: int,
) -> None:
    has_gpus(monkeypatch, gpus)
    monkeypatch.setattr(WhisperEngine, "_hear_reference", lambda self: None)
    engine = WhisperEngine(engine_settings(TranscribeConfig(**keys)))
    assert engine.preferred_windows == windows
