"""One loaded Whisper model: features in, drafts with word times out. Knows nothing of calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import (
    get_compression_ratio,
    get_suppressed_tokens,
    merge_punctuations,
)
from numpy.typing import NDArray

from speechlytics.errors import TranscriptionError
from speechlytics.transcribe.drafts import Draft
from speechlytics.transcribe.engine import EngineSettings, WindowWord
from speechlytics.transcribe.features import FRAMES_PER_S
from speechlytics.transcribe.windows import Window
from speechlytics.transcribe.wordtimes import settle_word_times

Encoded = NDArray[Any]  # float32 or float16, shape (n_windows, encoder_s * 50, d_model)

_MAX_TOKENS = 448  # Whisper's decoder positions
_TOKENS_PER_S = 24  # a loop is cut here: fast speech in a small vocabulary has about 15
_PREPEND, _APPEND = "\"'“¿([{-", "\"'.。,，!！?？:：”)]}、"  # faster-whisper's defaults


@dataclass(frozen=True, slots=True)
class Decoding:
    """A way to decode.

    Every one is deterministic. Sampling at a temperature, Whisper's own fallback, depends in
    CTranslate2 on what its thread drew before; a call transcribed twice must read alike.
    """

    name: str
    timestamps: bool
    no_repeat_ngram_size: int = 0


class Decoder:
    """Encoder, language detection, beam search and alignment for equally long windows."""

    def __init__(self, settings: EngineSettings) -> None:
        """Load the model.

        Raises:
            TranscriptionError: it does not load or does not fit its preprocessor_config.json.
        """
        config = settings.config
        self._settings = settings
        self.gpu = _use_gpu(config.device)
        self.devices = _gpus(config.gpus) if self.gpu else 1
        self.threads = 2 if self.gpu else config.cpu_threads or _cores()
        try:
            self._model = WhisperModel(
                str(settings.folder),
                device="cuda" if self.gpu else "cpu",
                device_index=settings.device_index,
                compute_type=_compute_type(config.compute_type, gpu=self.gpu),
                cpu_threads=1,
                num_workers=1 if self.gpu else self.threads,
                local_files_only=True,
            )
        except Exception as error:  # ctranslate2: RuntimeError, ValueError; tokenizers: Exception
            raise TranscriptionError(
                f"model {settings.model_id!r} in {settings.folder} does not load: {error}; "
                f"run `speechlytics models check {config.model}`"
            ) from error
        self._whisper = self._model.model
        if self._whisper.n_mels != settings.shape.n_mels:
            raise TranscriptionError(
                f"model {settings.model_id!r} wants {self._whisper.n_mels} mel bands, its "
                f"preprocessor_config.json says {settings.shape.n_mels}; fetch the model again"
            )
        unknown = [name for name in settings.languages if not self.knows(name)]
        if unknown:
            raise TranscriptionError(
                f"model {settings.model_id!r} does not know the language {unknown[0]!r} of "
                "transcribe.languages; remove it or choose a multilingual model"
            )
        self._tokenizers: dict[str, Tokenizer] = {}
        self._suppressed = get_suppressed_tokens(self._tokenizer("en"), [-1])

    @property
    def multilingual(self) -> bool:
        """Whether the model knows more than English."""
        return bool(self._whisper.is_multilingual)

    def knows(self, language: str) -> bool:
        """Whether the model can be told to write this language."""
        return language in self._model.supported_languages

    @property
    def description(self) -> str:
        """Device and arithmetic, for messages."""
        return f"device {self._whisper.device}, {self._whisper.compute_type}"

    def encode(self, windows: Sequence[Window], encoder_s: float) -> Encoded:
        """Encoder output of windows filled up with zeros to ``encoder_s``.

        On a CPU one by one: encoder batches are slower there, decoder batches faster (measured).
        """
        frames = round(encoder_s * FRAMES_PER_S)
        step = len(windows) if self.gpu else 1
        parts = []
        for at in range(0, len(windows), step):
            group = windows[at : at + step]
            filled = np.zeros((len(group), self._settings.shape.n_mels, frames), np.float32)
            for row, window in enumerate(group):
                kept = window.features[:, :frames]
                filled[row, :, : kept.shape[1]] = kept
            view = ctranslate2.StorageView.from_array(filled)
            parts.append(np.array(self._whisper.encode(view, to_cpu=True)))
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    def detect_language(self, encoded: Encoded) -> list[tuple[str, float]]:
        """Likeliest allowed language of each window and its share among the allowed, 0–1."""
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))
        found = []
        for ranking in self._whisper.detect_language(view):
            allowed = {
                token[2:-2]: probability
                for token, probability in ranking
                if not self._settings.languages or token[2:-2] in self._settings.languages
            }
            language = max(allowed, key=lambda name: allowed[name])
            found.append((language, allowed[language] / max(sum(allowed.values()), 1e-9)))
        return found

    def decode(
        self,
        windows: Sequence[Window],
        languages: Sequence[str],
        encoded: Encoded,
        encoder_s: float,
        decoding: Decoding,
    ) -> list[Draft]:
        """One draft per window; languages may differ from window to window."""
        view = ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))
        config = self._settings.config
        prompts = [
            self._model.get_prompt(
                self._tokenizer(language),
                [],
                without_timestamps=not decoding.timestamps,
                hotwords=config.hotwords,
            )
            for language in languages
        ]
        outputs = self._whisper.generate(
            view,
            prompts,
            beam_size=config.beam_size,
            max_length=min(_MAX_TOKENS, len(prompts[0]) + 32 + round(_TOKENS_PER_S * encoder_s)),
            no_repeat_ngram_size=decoding.no_repeat_ngram_size,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._suppressed,
        )
        words = self._align(windows, languages, [o.sequences_ids[0] for o in outputs], view)
        return [
            self._draft(output, language, spoken, decoding.name)
            for output, language, spoken in zip(outputs, languages, words, strict=True)
        ]

    def _draft(self, output: Any, language: str, words: tuple[WindowWord, ...], name: str) -> Draft:
        """An attempt with its figures; empty where the model itself says that nobody speaks."""
        tokens = output.sequences_ids[0]
        text = self._tokenizer(language).decode(tokens).strip()
        # The score is a mean over the tokens without the end token (faster-whisper).
        avg_logprob = float(output.scores[0]) * len(tokens) / (len(tokens) + 1)
        config = self._settings.config
        silent = output.no_speech_prob > config.max_no_speech_prob
        return Draft(
            words=() if silent and avg_logprob < config.min_avg_logprob else words,
            avg_logprob=avg_logprob,
            no_speech_prob=float(output.no_speech_prob),
            compression_ratio=get_compression_ratio(text) if text else 0.0,
            decoding=name,
        )

    def _align(
        self,
        windows: Sequence[Window],
        languages: Sequence[str],
        tokens: list[list[int]],
        view: ctranslate2.StorageView,
    ) -> list[tuple[WindowWord, ...]]:
        """Word times by cross-attention; one call per language, which sets the start tokens."""
        words: list[tuple[WindowWord, ...]] = [()] * len(windows)
        frames = [window.features.shape[1] for window in windows]
        for language in sorted(set(languages)):
            tokenizer = self._tokenizer(language)
            spoken = [[token for token in row if token < tokenizer.eot] for row in tokens]
            if not any(spoken):
                continue
            aligned = self._model.find_alignment(tokenizer, spoken, view, frames)
            for row, window in enumerate(windows):
                if languages[row] == language and spoken[row]:
                    words[row] = settle_word_times(_words(aligned[row]), window.times)
        return words

    def _tokenizer(self, language: str) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = Tokenizer(
                self._model.hf_tokenizer, self.multilingual, task="transcribe", language=language
            )
        return self._tokenizers[language]


def _cores() -> int:
    """Cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _use_gpu(device: str) -> bool:
    if device == "auto":
        return bool(ctranslate2.get_cuda_device_count())
    return device == "cuda"


def _gpus(wanted: int) -> int:
    """GPUs to use: all, or the first ``wanted``."""
    found: int = ctranslate2.get_cuda_device_count()
    return min(found, wanted) if wanted else found


def _compute_type(wanted: str, *, gpu: bool) -> str:
    if wanted != "auto":
        return wanted
    return "float16" if gpu else "int8"


def _words(alignment: list[dict[str, Any]]) -> list[WindowWord]:
    merge_punctuations(alignment, _PREPEND, _APPEND)
    words = []
    for entry in alignment:
        text = entry["word"].strip()
        if text:
            start_ms, end_ms = (round(float(entry[edge]) * 1000) for edge in ("start", "end"))
            probability = float(entry["probability"])
            words.append(WindowWord(text, start_ms, max(end_ms, start_ms), probability))
    return words
