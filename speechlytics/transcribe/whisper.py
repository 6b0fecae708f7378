"""The Whisper engine: windows of many calls, sorted by length, in full batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.decoder import Decoder, Decoding, Encoded
from speechlytics.transcribe.drafts import Draft, better, doubt, joined
from speechlytics.transcribe.engine import EngineSettings, WindowTranscript
from speechlytics.transcribe.halves import halve
from speechlytics.transcribe.reference import reference_window
from speechlytics.transcribe.windows import Window

_CPU_BATCH, _GPU_BATCH = 16, 32


@dataclass(frozen=True, slots=True)
class _Job:
    """A window, its place in the answer, and its language once decided (else empty)."""

    position: int
    window: Window
    language: str
    probability: float = 1.0


class WhisperEngine:
    """One loaded Whisper model.

    Windows are batched across calls by encoder length. That length depends on the window alone,
    so a window gets the same transcript whatever else is in its batch.
    """

    def __init__(self, settings: EngineSettings) -> None:
        """Load the model and let it hear a reference clip.

        Raises:
            TranscriptionError: it does not load, or it hears nothing.
        """
        config = settings.config
        self._settings = settings
        self._decoder = Decoder(settings)
        self._batch_size = config.batch_size or (_GPU_BATCH if self._decoder.gpu else _CPU_BATCH)
        timestamps = bool(config.timestamps)
        self._first = Decoding("first", timestamps)
        self._fallbacks = (
            Decoding("other_timestamps", not timestamps),
            Decoding("no_repeats", timestamps, no_repeat_ngram_size=3),
        )
        self._hear_reference()

    @property
    def model_id(self) -> str:
        """Name of the model, as stored with the call."""
        return self._settings.model_id

    @property
    def preferred_windows(self) -> int:
        """How many windows at once keep every thread busy with full batches."""
        return 2 * self._decoder.threads * self._batch_size

    @property
    def devices(self) -> int:
        """One engine per GPU; on a CPU one engine has all the cores."""
        return self._decoder.devices

    def transcribe(self, windows: Sequence[Window]) -> list[WindowTranscript]:
        """One transcript per window, in the same order; see ``SpeechEngine``.

        A channel without a known language takes that of its longest window, found while that
        window is decoded: no encoder pass is spent on it.
        """
        jobs = [_Job(i, w, self._known_language(w)) for i, w in enumerate(windows)]
        probes = _probes(jobs)
        results: dict[int, WindowTranscript] = {}
        self._run([job for job in jobs if job.language or job.position in probes], results)
        heard = {_channel(jobs[position].window): results[position] for position in probes}
        rest = []
        for job in jobs:
            if job.position not in results:
                found = heard[_channel(job.window)]
                probability = found.language_probability
                rest.append(replace(job, language=found.language, probability=probability))
        self._run(rest, results)
        return [results[position] for position in range(len(jobs))]

    def _run(self, jobs: list[_Job], results: dict[int, WindowTranscript]) -> None:
        """Decode jobs in batches of one encoder length, longest windows first."""
        buckets: dict[float, list[_Job]] = defaultdict(list)
        for job in jobs:
            buckets[self._encoder_s(job.window)].append(job)
        batches = []
        for encoder_s, bucket in sorted(buckets.items(), reverse=True):
            bucket.sort(key=lambda job: (-job.window.duration_ms, job.position))
            size = min(self._batch_size, -(-len(bucket) // self._decoder.threads))
            batches += [(encoder_s, bucket[at : at + size]) for at in range(0, len(bucket), size)]
        with ThreadPoolExecutor(self._decoder.threads) as pool:
            futures = [pool.submit(self._run_batch, *batch) for batch in batches]
            for future in futures:
                results.update(future.result())

    def _run_batch(self, encoder_s: float, jobs: list[_Job]) -> dict[int, WindowTranscript]:
        encoded = self._decoder.encode([job.window for job in jobs], encoder_s)
        jobs = self._decide_languages(jobs, encoded)
        drafts = self._decode(jobs, encoded, encoder_s, self._first)
        results = {}
        for row, (job, draft) in enumerate(zip(jobs, drafts, strict=True)):
            best = draft
            if doubt(draft, job.window, self._settings.config):
                best = self._try_again(job, draft, encoded[row : row + 1], encoder_s)
            results[job.position] = best.transcript(job.language, job.probability)
        return results

    def _decide_languages(self, jobs: list[_Job], encoded: Encoded) -> list[_Job]:
        """Detect the language of the jobs that have none, from what is encoded already."""
        rows = [row for row, job in enumerate(jobs) if not job.language]
        if not rows:
            return jobs
        decided = list(jobs)
        found = self._decoder.detect_language(encoded[rows])
        for row, (language, probability) in zip(rows, found, strict=True):
            decided[row] = replace(jobs[row], language=language, probability=probability)
        return decided

    def _try_again(self, job: _Job, first: Draft, encoded: Encoded, encoder_s: float) -> Draft:
        """Decode a doubtful window in other ways until one is beyond doubt."""
        config = self._settings.config
        attempts = [first]
        halves = halve(job.window)
        if halves is not None:
            left, right = (self._alone(replace(job, window=half)) for half in halves)
            attempts.append(joined(left, right, halves[0].duration_ms, "halves"))
            if doubt(attempts[-1], job.window, config) is None:
                return attempts[-1]
        for decoding in self._fallbacks:
            attempts += self._decode([job], encoded, encoder_s, decoding)
            if doubt(attempts[-1], job.window, config) is None:
                return attempts[-1]
        return better(attempts, job.window, config)

    def _alone(self, job: _Job) -> Draft:
        encoder_s = self._encoder_s(job.window)
        encoded = self._decoder.encode([job.window], encoder_s)
        return self._decode([job], encoded, encoder_s, self._first)[0]

    def _decode(
        self, jobs: list[_Job], encoded: Encoded, encoder_s: float, decoding: Decoding
    ) -> list[Draft]:
        windows = [job.window for job in jobs]
        languages = [job.language for job in jobs]
        return self._decoder.decode(windows, languages, encoded, encoder_s, decoding)

    def _known_language(self, window: Window) -> str:
        """Language that needs no detection, or an empty string."""
        if not self._decoder.multilingual:
            return "en"
        allowed = self._settings.languages
        hint = window.language
        if hint and (hint in allowed or (not allowed and self._decoder.knows(hint))):
            return hint
        return allowed[0] if len(allowed) == 1 else ""

    def _encoder_s(self, window: Window) -> float:
        fitting = [s for s in self._settings.shape.encoder_s if s * 1000 >= window.duration_ms]
        return fitting[0] if fitting else self._settings.shape.encoder_s[-1]

    def _hear_reference(self) -> None:
        """Refuse to work with a model that hears nothing where somebody speaks.

        Some CTranslate2 wheels gave empty text on some GPU drivers, without any error.
        """
        language = self._settings.languages[0] if self._settings.languages else "en"
        window = reference_window(self._settings.shape.n_mels, language)
        if not self.transcribe([window])[0].words:
            raise TranscriptionError(
                f"model {self.model_id!r} heard nothing in the reference clip "
                f"({self._decoder.description}): it would give empty transcripts without an "
                "error; try another device or compute_type under [transcribe], or another "
                "version of ctranslate2"
            )


def _channel(window: Window) -> tuple[str, int]:
    return window.call_id, window.channel


def _probes(jobs: list[_Job]) -> set[int]:
    """The longest window of every channel without a language: it decides for the channel."""
    longest: dict[tuple[str, int], _Job] = {}
    for job in jobs:
        if not job.language:
            rival = longest.get(_channel(job.window))
            if rival is None or job.window.duration_ms > rival.window.duration_ms:
                longest[_channel(job.window)] = job
    return {job.position for job in longest.values()}
