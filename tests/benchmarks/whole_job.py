"""The whole job against a loop over faster-whisper, on the same calls, model, beam, language.

    python -m tests.benchmarks.whole_job --model base --calls 4 --rounds 1
    python -m tests.benchmarks.whole_job --wer    # the shipped model on demo and held-back calls

Contenders, per round in another order: ``loop`` calls ``WhisperModel.transcribe`` per channel,
``batched`` calls ``BatchedInferencePipeline.transcribe``, both with ``vad_filter=True`` and (unless
``--words``) without word times; ``ours`` decodes, measures, packs, transcribes with word times,
matches phrases and publishes to a store. Models are loaded and processes started before.

Random weights never stop by themselves, so every contender writes ``TOKENS_PER_S`` tokens per
second of its window (what Russian costs), and nobody falls back to another temperature. The limit
is charged by the length of the window, padding included, to all alike: a rival's last window of a
channel, half empty, costs as many tokens as a full one, where real weights would stop early. That
flatters us a little, as our windows are packed to equal lengths.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from faster_whisper import BatchedInferencePipeline, WhisperModel, decode_audio

from speechlytics.analyze import PrepareSettings
from speechlytics.config import ActivityConfig, AudioConfig, PhrasesConfig, TranscribeConfig
from speechlytics.nightly._report import Tally
from speechlytics.nightly._stream import Stages, analyses
from speechlytics.phrases import Matcher, load_packs
from speechlytics.records import StageSha256
from speechlytics.runner import LocalRunner
from speechlytics.store import Store
from speechlytics.transcribe import EngineSettings, ModelProcess, SpeechEngine, engine_settings
from tests.benchmarks import random_whisper, results, spoken

TOKENS_PER_S = 5  # Russian speech in Whisper's vocabulary
_PROMPT = 4
_THEIR_WINDOW_S = 30
_ANYTHING_GOES = {"max_compression_ratio": 1e9, "min_avg_logprob": -1e9, "max_unheard_ms": 10**9}


def load_limited(settings: EngineSettings) -> SpeechEngine:
    """Our engine with the benchmark's token limit; CTranslate2 halves ``max_length``."""
    from speechlytics.transcribe import decoder, load_whisper

    seconds = settings.shape.encoder_s[0]
    decoder._TOKENS_PER_S = (2 * TOKENS_PER_S * seconds - _PROMPT - 32) / seconds  # type: ignore[assignment]  # a float will do
    return load_whisper(settings)


def faster_whisper_calls(
    folder: Path, gpu: bool, words: bool
) -> dict[str, Callable[[list[Path]], None]]:
    """The two obvious alternatives; each decodes the files by itself."""
    model = WhisperModel(
        str(folder),
        device="cuda" if gpu else "cpu",
        compute_type="float16" if gpu else "int8",
        cpu_threads=len(os.sched_getaffinity(0)),
    )
    pipeline = BatchedInferencePipeline(model)
    alike: dict[str, Any] = {
        "language": "ru", "beam_size": 5, "vad_filter": True, "temperature": [0.0],
        "without_timestamps": True, "word_timestamps": words, "condition_on_previous_text": False,
        "compression_ratio_threshold": None, "log_prob_threshold": None,
        "no_speech_threshold": None,
        "max_new_tokens": 2 * TOKENS_PER_S * _THEIR_WINDOW_S - _PROMPT,
    }  # fmt: skip

    def loop(files: list[Path]) -> None:
        for file in files:
            for channel in decode_audio(str(file), split_stereo=True):
                list(model.transcribe(channel, **alike)[0])

    def batched(files: list[Path]) -> None:
        for file in files:
            for channel in decode_audio(str(file), split_stereo=True):
                list(pipeline.transcribe(channel, batch_size=16, **alike)[0])

    return {"loop": loop, "batched": batched}


def measure(chosen: argparse.Namespace, gpu: bool) -> None:
    """Run the contenders in turn and append the figures."""
    name, models, calls = chosen.model, chosen.models, chosen.calls
    rounds, seconds, words = chosen.rounds, chosen.seconds, chosen.words
    folder = random_whisper.build(name, models)
    config = TranscribeConfig(
        model=str(folder), languages=("ru",), window_s=14.5, encoder_s=(15.0, 30.0),
        device="cuda" if gpu else "cpu", timestamps=False, max_no_speech_prob=1.0, **_ANYTHING_GOES,
    )  # fmt: skip
    settings = engine_settings(config)
    matcher = Matcher(load_packs(), PhrasesConfig())
    prepare = PrepareSettings(AudioConfig(), ActivityConfig(), config, settings.shape)
    figures: dict[str, list[float]] = defaultdict(list)
    with (
        tempfile.TemporaryDirectory() as scratch,
        ModelProcess(settings, load_engine=load_limited) as model,
        LocalRunner() as runner,
        Store(Path(scratch) / "store").writer("benchmark") as writer,
    ):
        files = [
            spoken.write_wav(Path(scratch) / f"{n}.wav", spoken.call(n, seconds), "a")
            for n in range(calls)
        ]
        stages = Stages(prepare, config, matcher, model, StageSha256("a", "t", "p"), 1024)
        tally = Tally()

        def ours(chosen: list[Path]) -> None:
            recordings = [spoken.recording(file) for file in chosen]
            for analysis in analyses(recordings, runner, stages, tally):
                assert analysis.failure is None, analysis.failure
                tally.add(analysis)
                writer.add([analysis])
            writer.publish()

        contenders = {"ours": ours, **faster_whisper_calls(folder, gpu, words)}
        short = [spoken.write_wav(Path(scratch) / "warm.wav", spoken.call(99, 10))]
        for run in contenders.values():
            run(short)
        for number in range(rounds):
            order = list(contenders) if number % 2 == 0 else list(contenders)[::-1]
            for contender in order:
                started, cpu_s, busy_s = time.perf_counter(), results.tree_cpu_s(), model.busy_s
                contenders[contender](files)
                wall_s = time.perf_counter() - started
                figures[f"{contender}: wall s"].append(wall_s)
                figures[f"{contender}: CPU s"].append(results.tree_cpu_s() - cpu_s)
                if contender == "ours":
                    share = 1 - (model.busy_s - busy_s) / wall_s
                    figures["ours: exposed non-ASR wall, %"].append(100 * share)
                print(f"{contender}: {wall_s:.1f} s", flush=True)
    for rival in ("loop", "batched"):
        for unit in ("wall", "CPU"):
            ratios = results.ratios(figures, f"{rival}: {unit} s", f"ours: {unit} s")
            figures[f"times faster than {rival} ({unit})"] = ratios
    note = (
        f"{calls} stereo A-law calls of {seconds} s, {rounds} round(s), beam 5, language fixed, "
        f"int8, random weights, {TOKENS_PER_S} tokens per second of window for everybody"
    )
    if words:
        note += "; word times asked of the rivals too"
    if gpu:
        note = note.replace("int8", "float16")
    kind = "GPU" if gpu else "CPU"
    variant = f"{name}, {kind}" + (", word times" if words else "")
    results.append("whole_job", variant, results.medians(figures), note)


def word_error_rates() -> None:
    """The shipped model: ours, the loop and the batched pipeline on demo and held-back calls."""
    from tests.benchmarks import wer

    figures, note = wer.figures()
    results.append("whole_job", "WER of the shipped model", figures, note)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=sorted(random_whisper.SHAPES), default="tiny")
    parser.add_argument("--models", type=Path, default=Path(tempfile.gettempdir()) / "whisper")
    parser.add_argument("--calls", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--seconds", type=int, default=180)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--words", action="store_true", help="rivals give word times, as we do")
    parser.add_argument("--wer", action="store_true", help="error rates instead of times")
    chosen = parser.parse_args()
    if chosen.wer:
        word_error_rates()
        return
    gpu = chosen.device == "cuda"
    if chosen.device == "auto":
        import ctranslate2

        gpu = ctranslate2.get_cuda_device_count() > 0
    measure(chosen, gpu)


if __name__ == "__main__":
    main()
