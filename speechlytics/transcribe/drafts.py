"""What a decoding attempt gave for a window, whether to believe it, and which attempt to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from speechlytics.config import TranscribeConfig
from speechlytics.transcribe.engine import WindowTranscript, WindowWord
from speechlytics.transcribe.windows import TimeMap, Window

Doubt = Literal["empty", "loop", "improbable", "unheard"]


@dataclass(frozen=True, slots=True)
class Draft:
    """One attempt at a window; fields as in ``WindowTranscript``."""

    words: tuple[WindowWord, ...]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    decoding: str

    def transcript(self, language: str, probability: float) -> WindowTranscript:
        """The attempt that won, as the engine's answer."""
        return WindowTranscript(
            words=self.words,
            language=language,
            language_probability=probability,
            avg_logprob=self.avg_logprob,
            no_speech_prob=self.no_speech_prob,
            compression_ratio=self.compression_ratio,
            decoding=self.decoding,
        )


def doubt(draft: Draft, window: Window, config: TranscribeConfig) -> Doubt | None:
    """Why an attempt should be repeated, or ``None``; silence that the model is sure of is fine.

    Compression ratio and log-probability are Whisper's own criteria. ``unheard`` is ours: packed
    windows hold speech nearly everywhere, so a long stretch without a word means that the model
    stopped early (faster-whisper would read on from there; a batch cannot).
    """
    if not draft.words:
        return None if draft.no_speech_prob > config.max_no_speech_prob else "empty"
    if draft.compression_ratio > config.max_compression_ratio:
        return "loop"
    if draft.avg_logprob < config.min_avg_logprob:
        return "improbable"
    if unheard_ms(draft.words, window.times) > config.max_unheard_ms:
        return "unheard"
    return None


def better(drafts: list[Draft], window: Window, config: TranscribeConfig) -> Draft:
    """The most credible of several attempts of which none is beyond doubt."""

    def rank(draft: Draft) -> tuple[bool, bool, bool, float]:
        return (
            bool(draft.words),
            draft.compression_ratio <= config.max_compression_ratio,
            unheard_ms(draft.words, window.times) <= config.max_unheard_ms,
            draft.avg_logprob,
        )

    return max(drafts, key=rank)


def unheard_ms(words: tuple[WindowWord, ...], times: TimeMap) -> int:
    """Longest stretch of speech, within one piece of the window, that holds no word."""
    longest = 0
    for piece in times.pieces:
        at = piece.offset_ms + piece.speech_start_ms - piece.start_ms
        end = piece.offset_ms + piece.speech_end_ms - piece.start_ms
        for word in words:
            if word.end_ms > at and word.start_ms < end:
                longest = max(longest, word.start_ms - at)
                at = word.end_ms
        longest = max(longest, end - at)
    return longest


def joined(first: Draft, second: Draft, offset_ms: int, decoding: str) -> Draft:
    """Two halves of a window as one attempt; the second starts at ``offset_ms``."""
    moved = tuple(
        WindowWord(w.word, w.start_ms + offset_ms, w.end_ms + offset_ms, w.probability)
        for w in second.words
    )
    left, right = len(first.words) + 1, len(second.words) + 1
    share = left / (left + right)
    return Draft(
        words=first.words + moved,
        avg_logprob=share * first.avg_logprob + (1 - share) * second.avg_logprob,
        no_speech_prob=min(first.no_speech_prob, second.no_speech_prob),
        compression_ratio=max(first.compression_ratio, second.compression_ratio),
        decoding=decoding,
    )
