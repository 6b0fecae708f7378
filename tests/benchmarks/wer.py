"""Word error rate of the shipped model: ours against faster-whisper's own two paths.

Demonstration calls, stereo and mono, and calls of turns that training never saw, in every
language that the model knows: the held-back half of the labelled dialogues, spoken by the training
recipe's synthesiser on its telephone line. Seeds are fixed, so that a run repeats itself.

Per channel of a stereo call, and for a mono call as a whole. All three get the same language, beam
and word normalisation; the rivals their defaults with ``vad_filter=True``.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jiwer
import numpy as np
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from models.training import evaluate, text, voice
from speechlytics.activity import measure
from speechlytics.audio import decode
from speechlytics.config import ActivityConfig, AudioConfig, TranscribeConfig
from speechlytics.transcribe import (
    EngineSettings,
    SpeechEngine,
    engine_settings,
    load_whisper,
    prepare_windows,
    segments_from,
)
from tests.benchmarks import spoken

_ROOT = Path(__file__).parents[2]
DEMO = _ROOT / "pipelines/demo/calls"
DIALOGUES = _ROOT / "tests/data/dialogues/calls.jsonl"
TURNS = 10
_LEAD_S = 0.4
_PAUSE_S = (0.3, 1.0)


@dataclass(frozen=True, slots=True)
class Sample:
    """One call with its truth: ``said[i]`` is what channel ``i`` says."""

    group: str
    file: Path
    language: str
    said: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Contenders:
    """The same model three times."""

    settings: EngineSettings
    engine: SpeechEngine
    model: WhisperModel
    batched: BatchedInferencePipeline

    def heard(self, sample: Sample) -> dict[str, list[str]]:
        """What each contender heard, channel by channel."""
        channels = len(sample.said)
        sounds = decode_audio(str(sample.file), split_stereo=channels == 2)
        alike: dict[str, Any] = {"language": sample.language, "vad_filter": True}
        texts: dict[str, list[str]] = {"ours": self.ours(sample), "loop": [], "batched": []}
        for samples in sounds if channels == 2 else [sounds]:
            loop, _ = self.model.transcribe(samples, condition_on_previous_text=False, **alike)
            texts["loop"].append(normal(" ".join(segment.text for segment in loop)))
            batch, _ = self.batched.transcribe(samples, batch_size=16, **alike)
            texts["batched"].append(normal(" ".join(segment.text for segment in batch)))
        return texts

    def ours(self, sample: Sample) -> list[str]:
        """Our own path over the file, as the nightly job takes it."""
        config = TranscribeConfig(languages=voice.LANGUAGES)
        waveform = decode([str(sample.file)], AudioConfig())
        activity = measure(waveform, ("agent", "customer"), ActivityConfig())
        windows = prepare_windows(
            waveform,
            activity,
            call_id=sample.file.stem,
            config=config,
            shape=self.settings.shape,
            language=sample.language,
        )
        results = self.engine.transcribe(windows)
        found = segments_from(windows, results, activity, config=config, model_id="demo")
        return [
            normal(" ".join(s.text for s in found.segments if s.channel == channel))
            for channel in range(len(sample.said))
        ]


def normal(words: str) -> str:
    """Lower case, no punctuation, ё as е."""
    return " ".join(re.sub(r"[^\w ]", " ", words.lower().replace("ё", "е")).split())


def load() -> Contenders:
    """Load the shipped model for everybody; beam 5 is every contender's default."""
    settings = engine_settings(TranscribeConfig(languages=voice.LANGUAGES))
    model = WhisperModel(str(settings.folder), device="cpu", compute_type="int8", cpu_threads=1)
    return Contenders(settings, load_whisper(settings), model, BatchedInferencePipeline(model))


def demo_calls() -> Iterator[Sample]:
    """The demonstration calls; on a mono one everybody speaks on channel 0."""
    for line in (DEMO / "truth.jsonl").read_text("utf-8").splitlines():
        call = json.loads(line)
        count = call["channels"]
        turns = sorted(call["turns"], key=lambda turn: float(turn["start_s"]))
        said = tuple(
            normal(" ".join(t["text"] for t in turns if count == 1 or t["channel"] == channel))
            for channel in range(count)
        )
        group = f"demo, {call['language']}" + (", mono" if count == 1 else "")
        yield Sample(group, DEMO / call["file"], call["language"], said)


def held_back_calls(folder: Path, count: int) -> Iterator[Sample]:
    """``count`` stereo A-law calls a language: held-back turns, the two parties by turns."""
    for language in voice.LANGUAGES:
        _, turns = text.dialogue_turns(DIALOGUES, language)
        for number in range(min(count, len(turns) // TURNS)):
            own = turns[number * TURNS : (number + 1) * TURNS]
            file = folder / f"{language}-{number}.wav"
            spoken.write_wav(file, _spoken_call(own, language, number), "a")
            said = tuple(normal(" ".join(own[channel::2])) for channel in range(2))
            yield Sample(f"held back, {language}", file, language, said)


def _spoken_call(turns: list[str], language: str, number: int) -> np.ndarray:
    """int16, shape ``(2, n)``: the turns on a telephone line, a voice for each party."""
    rng = random.Random(f"{evaluate.EVALUATION_SEED}-{language}-{number}")
    line_rng = np.random.default_rng(evaluate.EVALUATION_SEED + number)
    voices = rng.sample(voice.CAST, 2)
    channels: list[list[np.ndarray]] = [[], []]
    lead = np.zeros(int(_LEAD_S * spoken.RATE_HZ), np.float32)
    for party, sentence in enumerate(["", *turns]):
        audio = lead
        if sentence:
            audio, _ = evaluate.spoken(sentence, language, rng, (voices[party % 2],))
            pause = np.zeros(int(rng.uniform(*_PAUSE_S) * spoken.RATE_HZ), np.float32)
            audio = np.concatenate([audio, pause])
        channels[(party - 1) % 2].append(audio)
        channels[party % 2].append(np.zeros(len(audio), np.float32))
    lines = [evaluate.telephone(np.concatenate(parts), line_rng) for parts in channels]
    return np.round(np.clip(np.stack(lines), -1, 1) * 32767).astype(np.int16)


def figures(held_back: int = 3) -> tuple[dict[str, float], str]:
    """WER in per cent per contender, over everything and group by group; and a note."""
    contenders = load()
    said: dict[str, list[str]] = defaultdict(list)
    heard: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    calls = 0
    with tempfile.TemporaryDirectory() as scratch:
        for sample in [*demo_calls(), *held_back_calls(Path(scratch), held_back)]:
            calls += 1
            pooled = replace(sample, group=sample.group.split(",")[0])
            for group in ("all", pooled.group, sample.group):
                said[group] += sample.said
            for name, texts in contenders.heard(sample).items():
                for group in ("all", pooled.group, sample.group):
                    heard[group][name] += texts
    rates: dict[str, float] = {}
    for group, truth in said.items():
        own = {name: 100 * jiwer.wer(truth, texts) for name, texts in heard[group].items()}
        where = "" if group == "all" else f" ({group})"
        rates |= {f"WER {name}, %{where}": rate for name, rate in own.items()}
        rates[f"ours minus loop, points{where}"] = own["ours"] - own["loop"]
    words = sum(len(channel.split()) for channel in said["all"])
    note = (
        f"{calls} calls, {words} words: the demo calls and {held_back} of held-back dialogue turns "
        f"in each of {', '.join(voice.LANGUAGES)}; model {contenders.settings.model_id}, beam 5, "
        "language fixed, defaults"
    )
    return rates, note
