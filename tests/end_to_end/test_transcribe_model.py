"""The shipped model on calls whose every word is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import soxr
from faster_whisper import WhisperModel
from jiwer import process_words, wer

from speechlytics.config import TranscribeConfig
from speechlytics.errors import TranscriptionError
from speechlytics.transcribe import (
    SpeechEngine,
    Window,
    check,
    engine_settings,
    load_whisper,
    prepare_windows,
    resolve,
    segments_from,
)
from speechlytics.transcribe import whisper as whisper_module
from speechlytics.transcribe.reference import reference_window
from tests.spoken_calls import SpokenCall, normal, spoken_call

CONFIG = TranscribeConfig(cpu_threads=2)
TURNS = [
    [(0, 0), (1, 5), (0, 3), (1, 6), (0, 1)],
    [(1, 7), (0, 4), (0, 2), (1, 1)],
    [(0, 6), (1, 0), (0, 5)],
]


@pytest.fixture(scope="module")
def engine() -> SpeechEngine:
    return load_whisper(engine_settings(CONFIG))


@pytest.fixture(scope="module")
def calls() -> list[SpokenCall]:
    return [spoken_call(turns) for turns in TURNS]


def windows_of(call: SpokenCall, call_id: str, language: str | None = None) -> tuple[Window, ...]:
    shape = engine_settings(CONFIG).shape
    return prepare_windows(
        call.waveform,
        call.activity,
        call_id=call_id,
        config=CONFIG,
        shape=shape,
        language=language,
    )


def test_words_and_their_times_survive_packing(
    engine: SpeechEngine, calls: list[SpokenCall]
) -> None:
    said, heard, errors_ms = [], [], []
    for number, call in enumerate(calls):
        windows = windows_of(call, str(number))
        results = engine.transcribe(windows)
        found = segments_from(
            windows, results, call.activity, config=CONFIG, model_id=engine.model_id
        )
        assert found.language == "ru"
        assert all(segment.suspect is None for segment in found.segments)
        for channel in (0, 1):
            words = [w for s in found.segments if s.channel == channel for w in s.words]
            truth = call.words(channel)
            text = normal(" ".join(word.word for word in words))
            said.append(call.text(channel))
            heard.append(text)
            (chunks,) = process_words(call.text(channel), text).alignments
            for chunk in chunks:
                if chunk.type == "equal":
                    for i in range(chunk.ref_end_idx - chunk.ref_start_idx):
                        ours, true = words[chunk.hyp_start_idx + i], truth[chunk.ref_start_idx + i]
                        errors_ms.append(abs(ours.start_ms - true[1]))
                        errors_ms.append(abs(ours.end_ms - true[2]))
    assert wer(said, heard) <= 0.08
    assert np.median(errors_ms) <= 150
    assert np.quantile(errors_ms, 0.9) <= 400


def test_segments_begin_and_end_with_the_turns(
    engine: SpeechEngine, calls: list[SpokenCall]
) -> None:
    call = calls[0]
    windows = windows_of(call, "a")
    found = segments_from(
        windows, engine.transcribe(windows), call.activity, config=CONFIG, model_id="m"
    )
    assert [segment.channel for segment in found.segments] == [c for c, _, _ in call.turns]
    for segment, (_, start_ms, sentence) in zip(found.segments, call.turns, strict=True):
        assert abs(segment.start_ms - start_ms) <= 300
        assert abs(segment.end_ms - start_ms - sentence.duration_ms) <= 300


def test_a_window_reads_alike_in_any_company(engine: SpeechEngine, calls: list[SpokenCall]) -> None:
    windows = [w for number, call in enumerate(calls) for w in windows_of(call, str(number))]
    together = engine.transcribe(windows)
    backwards = engine.transcribe(windows[::-1])[::-1]
    # a channel's windows share its language, so they are the smallest company
    channels = sorted({(window.call_id, window.channel) for window in windows})
    alone = {
        key: engine.transcribe([w for w in windows if (w.call_id, w.channel) == key])
        for key in channels
    }
    assert together == [alone[window.call_id, window.channel][window.index] for window in windows]
    assert together == backwards


def test_not_worse_than_faster_whispers_own_path(
    engine: SpeechEngine, calls: list[SpokenCall]
) -> None:
    """Baseline: the whole channel, sequentially, 30 s windows, temperature fallback."""
    baseline = WhisperModel(str(resolve("demo")), device="cpu", compute_type="int8", cpu_threads=1)
    said, ours, theirs = [], [], []
    for number, call in enumerate(calls[1:2]):
        windows = windows_of(call, str(number))
        results = engine.transcribe(windows)
        for channel in (0, 1):
            samples = call.waveform.samples[channel].astype(np.float32) / 32768
            segments, _ = baseline.transcribe(
                soxr.resample(samples, 8000, 16000).astype(np.float32),
                language="ru",
                condition_on_previous_text=False,
            )
            said.append(call.text(channel))
            theirs.append(normal(" ".join(segment.text for segment in segments)))
            mine = [r.text for w, r in zip(windows, results, strict=True) if w.channel == channel]
            ours.append(normal(" ".join(mine)))
    assert wer(said, ours) <= wer(said, theirs) + 0.003


def test_the_language_hint_of_a_call_reaches_the_model(
    engine: SpeechEngine, calls: list[SpokenCall]
) -> None:
    (first, *_) = engine.transcribe(windows_of(calls[2], "a", language="ru"))
    assert (first.language, first.language_probability) == ("ru", 1.0)
    (first, *_) = engine.transcribe(windows_of(calls[2], "a", language="de"))
    assert first.language == "ru"  # the model's registered languages are its allow-list


def test_a_detected_language_is_that_of_the_whole_channel(
    monkeypatch: pytest.MonkeyPatch, calls: list[SpokenCall]
) -> None:
    settings = engine_settings(CONFIG)
    monkeypatch.setattr(whisper_module.WhisperEngine, "_hear_reference", lambda self: None)
    free = whisper_module.WhisperEngine(replace(settings, languages=("ru", "en")))
    results = free.transcribe(windows_of(calls[0], "a"))
    assert {result.language for result in results} == {"ru"}
    assert all(0.5 < result.language_probability <= 1 for result in results)
    assert len({result.language_probability for result in results}) <= 2  # one per channel


@pytest.mark.parametrize("sound", ["silence", "noise", "tone"])
def test_where_nobody_speaks_nothing_is_heard(engine: SpeechEngine, sound: str) -> None:
    """Also when activity took it for speech."""
    call = spoken_call([(0, 0)])
    count = call.waveform.samples.shape[1]
    wave = {
        "silence": np.zeros(count),
        "noise": np.random.default_rng(5).normal(0, 40, count),
        "tone": 8000 * np.sin(2 * np.pi * 425 * np.arange(count) / 8000),
    }[sound]
    waveform = replace(call.waveform, samples=wave.astype(np.int16)[None])
    windows = prepare_windows(
        waveform,
        replace(call.activity, channels=call.activity.channels[:1]),
        call_id="a",
        config=CONFIG,
        shape=engine_settings(CONFIG).shape,
    )
    assert [result.words for result in engine.transcribe(windows)] == [()] * len(windows)


def test_the_shipped_model_is_sound() -> None:
    found = check("demo")
    assert found.ok, found.problems


def test_a_model_that_hears_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent_clip(n_mels: int, language: str) -> Window:
        window = reference_window(n_mels, language)
        window.features[:] = window.features.min()
        return window

    monkeypatch.setattr(whisper_module, "reference_window", silent_clip)
    with pytest.raises(TranscriptionError, match="heard nothing in the reference clip"):
        load_whisper(engine_settings(CONFIG))


def test_a_language_that_the_model_never_heard_of_is_refused() -> None:
    settings = engine_settings(CONFIG)
    with pytest.raises(TranscriptionError, match="'xx'"):
        load_whisper(replace(settings, languages=("xx",)))
