"""What a night works with: settings, packs, workers, and the speech model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from speechlytics.analyze import PrepareSettings
from speechlytics.config import Config, TranscribeConfig, digest
from speechlytics.config import replace as config_replace
from speechlytics.nightly._report import Tally
from speechlytics.nightly._rescore import phrases_sha256
from speechlytics.nightly._stream import Model, Stages, analyses
from speechlytics.phrases import Matcher, PackSet, load_packs
from speechlytics.records import CallAnalysis, Recording, StageSha256
from speechlytics.runner import LocalRunner, Runner
from speechlytics.sources import Captures, open_captures
from speechlytics.transcribe import EngineSettings, ModelProcess, engine_settings

# where and how fast the speech model works; the text does not depend on them
MACHINE_SETTINGS = (
    "device",
    "cpu_threads",
    "gpus",
    "batch_size",
    "queue_windows",
    "download",
    "load_timeout_s",
    "hang_timeout_s",
    "slowest_rtf",
)

# calls that may wait for their transcript: light without features, and every window of a queue
# and of the engines behind it may be a call of its own
CALLS_AHEAD = 1024

MakeRunner = Callable[[Config], contextlib.AbstractContextManager[Runner]]


@dataclass(frozen=True, slots=True)
class Night:
    """What a run works with: its settings, the packs, and the model's demands."""

    config: Config
    packs: PackSet
    engine: EngineSettings | None
    sha256: StageSha256
    captures: Captures | None = None

    def with_captures(self, analysis: CallAnalysis) -> CallAnalysis:
        """The call with its agent's screen captures: only now is it known how long it is."""
        if self.captures is None or analysis.facts is None:
            return analysis
        recording = self.captures.joined(analysis.recording, analysis.facts.duration_ms)
        return replace(analysis, recording=recording)


def open_night(config: Config) -> Night:
    """Load the packs, find the model, and hash the settings of each stage.

    Raises:
        ConfigError: a pack is wrong.
        ModelMissing: the model is not on this machine.
        SourceError: the folder of screen captures is not there.
    """
    packs = load_packs([Path(folder) for folder in config.phrases.packs] or None)
    engine = engine_settings(config.transcribe) if config.run.transcribe else None
    activity = digest(config.audio, config.activity)
    transcript = None
    if engine is not None:
        transcript = digest(activity, _heard_with(engine))
    phrases = phrases_sha256(packs, config.phrases) if engine is not None else None
    sha256 = StageSha256(activity, transcript, phrases)
    return Night(config, packs, engine, sha256, open_captures(config.source))


def key_file(config: Config) -> Path:
    """Where the key of the customer pseudonyms lies: beside a local store unless configured."""
    return config.store.key_path


def local_runner(config: Config) -> LocalRunner:
    """Worker processes of this machine, as configured."""
    return LocalRunner(
        config.run.workers,
        timeout_s=config.run.call_timeout_s,
        memory_mb=config.run.call_memory_mb,
        attempts=config.run.attempts,
    )


def through_stages(
    night: Night,
    recordings: Iterable[Recording],
    matcher: Matcher,
    tally: Tally,
    make_runner: MakeRunner | None = None,
) -> Generator[CallAnalysis, None, None]:
    """Take on workers and the model, and yield every call as it is finished or failed.

    Close the iterator when it is not exhausted: workers and model go with it.
    """
    with contextlib.ExitStack() as stack:
        runner, model = _take_on(night, stack, make_runner)
        stages = _stages(night, matcher, model)
        yield from analyses(recordings, runner, stages, tally)


def _take_on(
    night: Night, stack: contextlib.ExitStack, make_runner: MakeRunner | None
) -> tuple[Runner, Model | None]:
    """The runner, and the speech model if there is one tonight."""
    if night.config.run.runner == "ray" and make_runner is None:
        from speechlytics.nightly._cluster import join

        return join(night.config, night.engine, stack)
    engine = night.engine
    model = None if engine is None else stack.enter_context(ModelProcess(engine))
    return stack.enter_context((make_runner or local_runner)(night.config)), model


def _stages(night: Night, matcher: Matcher, model: Model | None) -> Stages:
    config = night.config
    return Stages(
        prepare=PrepareSettings(
            audio=config.audio,
            activity=config.activity,
            transcribe=config.transcribe if night.engine else None,
            window=night.engine.shape if night.engine else None,
        ),
        transcribe=config.transcribe,
        matcher=matcher if night.engine else None,
        model=model,
        sha256=night.sha256,
        ahead=max(CALLS_AHEAD, 2 * config.transcribe.queue_windows),
    )


def _heard_with(engine: EngineSettings) -> TranscribeConfig:
    """Speech settings without those that only say where and how fast; the model goes by its id."""
    default = TranscribeConfig()
    machine = {name: getattr(default, name) for name in MACHINE_SETTINGS}
    shape = engine.shape
    return config_replace(
        engine.config,
        **machine,
        model=engine.model_id,
        window_s=shape.window_s,
        encoder_s=shape.encoder_s,
    )
