"""The training recipe: a few steps on a tiny corpus, conversion, and loading in faster-whisper."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip(
    "torch", reason="TRAINING NOT TESTED: torch is missing (pip install torch==2.13.0)"
)
pytest.importorskip("espeakng_loader", reason="TRAINING NOT TESTED: espeakng-loader is missing")
pytest.importorskip("soxr", reason="TRAINING NOT TESTED: soxr is missing")

SENTENCES = {
    "ru": [
        "Интернет не работает.",
        "Подождите минуту.",
        "Меня зовут Анна.",
        "Спасибо, до свидания.",
    ],
    "en": ["My phone is not working.", "Please hold on.", "Thank you, goodbye.", "One moment."],
    "uk": ["Добрий день.", "Дякую, до побачення.", "Зачекайте хвилину."],
    "hu": ["Jó napot kívánok.", "Köszönöm szépen.", "Kérem, várjon."],
}
pytestmark = [
    pytest.mark.timeout(300),
    # Raised inside torch and CTranslate2 on import of their own parts.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with one small shard, a vocabulary and a checkpoint of four steps."""
    from models.training import shards, tokenizer, train

    folder = tmp_path_factory.mktemp("run")
    pairs = [(language, text) for language, texts in SENTENCES.items() for text in texts]
    assert shards.write(folder / "shards" / "shard-0000", pairs * 2, seed=1) > 10
    texts = [text for _, text in pairs]
    tokenizer.train(texts * 4, folder / "tokenizer.json", text_tokens=400)
    train.run(plan(folder, steps=4))
    return folder


def plan(folder: Path, steps: int):
    from models.training import train

    return train.Plan(
        folder=folder, minutes=60, max_steps=steps, batch=4, shape=(64, 2, 1, 1), warm_up_steps=2
    )


def test_word_times_lie_in_order_within_the_speech() -> None:
    from models.training import voice

    samples, words = voice.render("Здравствуйте, меня зовут Анна.", "ru", "f2")
    assert [word for word, _, _ in words] == ["Здравствуйте,", "меня", "зовут", "Анна."]
    starts = [start for _, start, _ in words]
    assert starts == sorted(starts)
    assert all(0 <= start < end <= len(samples) / 8000 + 1e-6 for _, start, end in words)
    assert np.abs(samples).max() == pytest.approx(0.9)


def test_features_equal_those_of_faster_whisper_at_16_khz() -> None:
    import soxr
    from faster_whisper.feature_extractor import FeatureExtractor

    from models.training import features, voice

    samples, _ = voice.render("My internet is slow today.", "en", "m3")
    samples = samples[: len(samples) // 160 * 160]
    ours = features.log_mel(torch.from_numpy(samples)[None])[0].numpy()
    theirs = FeatureExtractor()(soxr.resample(samples, 8000, 16000), padding=0)
    frames = min(ours.shape[1], theirs.shape[1])
    # The resampler's filter takes the topmost telephone bands down; they are left out.
    difference = np.abs(ours[:60, 2 : frames - 2] - theirs[:60, 2 : frames - 2])
    assert np.median(difference) < 0.01


def test_training_goes_on_from_its_checkpoint(run_folder: Path) -> None:
    from models.training import train

    state = torch.load(run_folder / train.CHECKPOINT, weights_only=True)
    before = state["step"]
    train.run(plan(run_folder, steps=before + 2))
    after = torch.load(run_folder / train.CHECKPOINT, weights_only=True)
    assert after["step"] == before + 2
    assert after["windows"] > state["windows"]
    assert after["elapsed_s"] > state["elapsed_s"]


def test_a_trained_model_loads_in_faster_whisper(run_folder: Path, tmp_path: Path) -> None:
    from faster_whisper import WhisperModel

    from models.training import export, voice

    target = tmp_path / "model"
    size = export.export(run_folder / "checkpoint.pt", run_folder / "tokenizer.json", target)
    assert 0 < size < 12_000_000
    model = WhisperModel(str(target), device="cpu", compute_type="int8", cpu_threads=1)
    assert model.model.is_multilingual
    assert json.loads((target / "preprocessor_config.json").read_text())["chunk_length"] == 10
    samples, _ = voice.render("Please hold on.", "en", rate_hz=16000)
    language, probability, _ = model.detect_language(samples)
    assert language in SENTENCES
    assert 0 < probability <= 1
    segments, _ = model.transcribe(samples, language="en", beam_size=1, temperature=0.0)
    assert all(segment.end >= segment.start for segment in segments)


def test_held_back_sentences_never_reach_training() -> None:
    from models.training import text

    sources = text.Sources(
        sentences=("Интернет не работает.", "Мастер придёт завтра."),
        templates=("Меня зовут Анна.",),
        open=(),
        held_back=frozenset({text.normalised("Мастер придёт завтра.")}),
    )
    taken = text.SentenceGenerator("ru", sources, seed=3).take(400)
    assert text.normalised("Мастер придёт завтра.") not in {text.normalised(s) for s in taken}
    assert len(set(taken)) > 100
