"""Word error rate of the shipped model on the demo calls: ours and faster-whisper's own paths."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jiwer
from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from speechlytics.activity import measure
from speechlytics.audio import decode
from speechlytics.config import ActivityConfig, AudioConfig, TranscribeConfig
from speechlytics.transcribe import (
    engine_settings,
    load_whisper,
    prepare_windows,
    segments_from,
)

DEMO = Path(__file__).parents[2] / "pipelines/demo/calls"


def normal(text: str) -> str:
    """Lower case, no punctuation, ё as е."""
    return " ".join(re.sub(r"[^\w ]", " ", text.lower().replace("ё", "е")).split())


def demo_figures(limit: int = 6) -> tuple[dict[str, float], str]:
    """WER in per cent over the first Russian stereo demo calls, per contender."""
    calls = [json.loads(line) for line in (DEMO / "truth.jsonl").read_text("utf-8").splitlines()]
    chosen = [call for call in calls if call["language"] == "ru" and call["channels"] == 2][:limit]
    config = TranscribeConfig(languages=("ru",))
    settings = engine_settings(config)
    engine = load_whisper(settings)
    model = WhisperModel(str(settings.folder), device="cpu", compute_type="int8", cpu_threads=1)
    batched = BatchedInferencePipeline(model)
    said: list[str] = []
    heard: dict[str, list[str]] = {"ours": [], "loop": [], "batched": []}
    for call in chosen:
        path = DEMO / call["file"]
        waveform = decode([str(path)], AudioConfig())
        activity = measure(waveform, ("agent", "customer"), ActivityConfig())
        windows = prepare_windows(
            waveform, activity, call_id=call["call_id"], config=config, shape=settings.shape
        )
        found = segments_from(
            windows, engine.transcribe(windows), activity, config=config, model_id="demo"
        )
        channels = decode_audio(str(path), split_stereo=True)
        for channel, samples in enumerate(channels):
            turns = [turn["text"] for turn in call["turns"] if turn["channel"] == channel]
            said.append(normal(" ".join(turns)))
            own = [s.text for s in found.segments if s.channel == channel]
            alike = {"language": "ru", "vad_filter": True}
            loop, _ = model.transcribe(samples, condition_on_previous_text=False, **alike)  # type: ignore[arg-type]  # by name
            batch, _ = batched.transcribe(samples, batch_size=16, **alike)  # type: ignore[arg-type]  # by name
            heard["ours"].append(normal(" ".join(own)))
            heard["loop"].append(normal(" ".join(s.text for s in loop)))
            heard["batched"].append(normal(" ".join(s.text for s in batch)))
    rates = {f"WER {name}, %": 100 * jiwer.wer(said, texts) for name, texts in heard.items()}
    rates["ours minus loop, points"] = rates["WER ours, %"] - rates["WER loop, %"]
    note = f"{len(chosen)} Russian stereo demo calls, model {settings.model_id}, beam 5, defaults"
    return rates, note
