"""What everything but the model costs: CPU milliseconds per second of call, stage by stage.

    python -m tests.benchmarks.stages

Beside it faster-whisper's own path for the same file: PyAV with resampling, Silero, features in
numpy and the garbage collection, everything it does outside the model.
"""

from __future__ import annotations

import argparse
import pickle
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

from faster_whisper import decode_audio
from faster_whisper.feature_extractor import FeatureExtractor
from faster_whisper.vad import VadOptions, collect_chunks, get_speech_timestamps

from speechlytics.activity import measure
from speechlytics.audio import decode
from speechlytics.config import ActivityConfig, AudioConfig, PhrasesConfig, TranscribeConfig
from speechlytics.phrases import Matcher, load_packs
from speechlytics.store import Store
from speechlytics.transcribe import WindowShape, prepare_windows
from tests.benchmarks import results, spoken
from tests.benchmarks.synthetic_store import Dialogues

AIM_MS = 0.6
CALL_S = 180
SHAPE = WindowShape(80, 14.5, (15.0, 30.0))


def cpu_ms(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU time of this process for one call of ``work``, and what it gave."""
    started = time.process_time()
    result = work()
    return (time.process_time() - started) * 1000, result


def front_end(file: Path) -> dict[str, float]:
    """One call through decoding, activity, features and the pipe, CPU ms per call-second."""
    roles = ("agent", "customer")
    config = TranscribeConfig()
    spent: dict[str, float] = {}
    spent["decode"], waveform = cpu_ms(lambda: decode([str(file)], AudioConfig()))
    spent["activity"], activity = cpu_ms(lambda: measure(waveform, roles, ActivityConfig()))
    spent["features"], windows = cpu_ms(
        lambda: prepare_windows(
            waveform, activity, call_id="a", config=config, shape=SHAPE, language="ru"
        )
    )
    # From the worker to the parent and on to the model's process.
    spent["pipes"], _ = cpu_ms(lambda: [pickle.loads(pickle.dumps(windows, 5)) for _ in range(2)])
    return {stage: value / CALL_S for stage, value in spent.items()}


def their_path(file: Path) -> float:
    """The same call through what ``WhisperModel.transcribe`` does before the model."""
    import gc

    extractor = FeatureExtractor()

    def work() -> None:
        for channel in decode_audio(str(file), split_stereo=True):
            speech = get_speech_timestamps(channel, VadOptions())
            chunks, _ = collect_chunks(channel, speech)
            for chunk in chunks:
                extractor(chunk)
        gc.collect()

    return cpu_ms(work)[0] / CALL_S


def after_the_model(calls: int) -> dict[str, float]:
    """Phrases and the store for transcribed calls of 800 words, CPU ms per call-second."""
    dialogues = Dialogues(seed=1)
    analyses = [dialogues.analysis(f"c{n}", date(2026, 11, 2)) for n in range(calls)]
    matcher = Matcher(load_packs(), PhrasesConfig())
    seconds = sum(a.activity.duration_ms for a in analyses if a.activity) / 1000

    def listen() -> None:
        for analysis in analyses:
            assert analysis.transcript is not None
            matcher.match(analysis.transcript.segments, duration_ms=CALL_S * 1000, language="ru")

    listen()  # compiles the packs and meets the words: once a night, not once a call
    with (
        tempfile.TemporaryDirectory() as scratch,
        Store(Path(scratch) / "store").writer("benchmark") as writer,
    ):
        phrases_ms, _ = cpu_ms(listen)

        def store() -> None:
            for at in range(0, calls, 20):
                writer.add(analyses[at : at + 20])
            writer.publish()

        store_ms, _ = cpu_ms(store)
    return {"phrases": phrases_ms / seconds, "store": store_ms / seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=500, help="for phrases and store")
    chosen = parser.parse_args()
    later = after_the_model(chosen.calls)
    with tempfile.TemporaryDirectory() as scratch:
        samples = [spoken.call(n, CALL_S) for n in range(chosen.rounds)]
        # a worker loads Silero and the libraries once a night, not once a call
        front_end(spoken.write_wav(Path(scratch) / "first.wav", samples[0]))
        for codec in ("PCM", "G.711", "MP3"):
            spent: dict[str, list[float]] = defaultdict(list)
            for number, channels in enumerate(samples):
                file = Path(scratch) / f"{codec}-{number}"
                if codec == "MP3":
                    spoken.write_mp3(file.with_suffix(".mp3"), channels)
                    file = file.with_suffix(".mp3")
                else:
                    law = "a" if codec == "G.711" else ""
                    file = spoken.write_wav(file.with_suffix(".wav"), channels, law)
                for stage, value in front_end(file).items():
                    spent[stage].append(value)
                spent["theirs"].append(their_path(file))
            figures = {stage: median(values) for stage, values in spent.items()} | later
            theirs = figures.pop("theirs")
            total = sum(figures.values())
            front = sum(figures[stage] for stage in ("decode", "activity", "features", "pipes"))
            named = {f"{stage}, ms": value for stage, value in figures.items()}
            named |= {"all but the model, ms": total, "faster-whisper's front end, ms": theirs}
            named |= {"times leaner than faster-whisper": theirs / front}
            note = (
                f"CPU per second of call, stereo calls of {CALL_S} s, 14.5 s windows, "
                f"median of {chosen.rounds}; phrases and store over {chosen.calls} calls"
            )
            results.append("stages", codec, named, note)


if __name__ == "__main__":
    main()
