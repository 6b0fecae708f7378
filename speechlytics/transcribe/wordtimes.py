"""Word times from cross-attention, brought into accord with where speech was measured.

Attention shows well where a word begins and badly where the last word of a sentence ends; a
small model lets the last words collapse into one point. Where the speech of a piece ends is
known to some 10 ms, so the words before that point can be put right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from speechlytics.transcribe.engine import WindowWord
from speechlytics.transcribe.windows import Piece, TimeMap

_SNAP_MS = 300  # a first or last word this near the edge of speech reaches to it
_COLLAPSED_MS_PER_LETTER = 25  # three times faster than fast speech


def settle_word_times(words: Sequence[WindowWord], times: TimeMap) -> tuple[WindowWord, ...]:
    """Let the words of every piece end, and begin, where its speech does.

    Words keep their order and their piece; only edges next to a pause move.
    """
    settled: list[WindowWord] = []
    at = 0
    while at < len(words):
        piece = times.piece_of(words[at].start_ms, words[at].end_ms)
        end = at + 1
        while end < len(words) and piece is times.piece_of(words[end].start_ms, words[end].end_ms):
            end += 1
        settled += _settle_piece(list(words[at:end]), piece)
        at = end
    return tuple(settled)


def _settle_piece(words: list[WindowWord], piece: Piece) -> list[WindowWord]:
    shift = piece.offset_ms - piece.start_ms
    start_ms, end_ms = piece.speech_start_ms + shift, piece.speech_end_ms + shift
    if words[-1].end_ms <= start_ms or words[0].start_ms >= end_ms:
        return words  # not heard in this piece's speech at all: left for the suspects
    collapsed = len(words)
    while collapsed > 0 and _is_collapsed(words[collapsed - 1]):
        collapsed -= 1
    if collapsed < len(words) and end_ms - words[-1].end_ms > 0:
        words[collapsed:] = _shared(words[collapsed:], words[collapsed].start_ms, end_ms)
    elif 0 < end_ms - words[-1].end_ms <= _SNAP_MS:
        words[-1] = replace(words[-1], end_ms=end_ms)
    if 0 < words[0].start_ms - start_ms <= _SNAP_MS:
        words[0] = replace(words[0], start_ms=start_ms)
    return words


def _is_collapsed(word: WindowWord) -> bool:
    return word.end_ms - word.start_ms < _COLLAPSED_MS_PER_LETTER * len(word.word)


def _shared(words: list[WindowWord], start_ms: int, end_ms: int) -> list[WindowWord]:
    """Words side by side over a stretch, each as long as its letters."""
    letters = sum(len(word.word) for word in words)
    shared, said = [], 0
    for word in words:
        begin = start_ms + (end_ms - start_ms) * said // letters
        said += len(word.word)
        end = start_ms + (end_ms - start_ms) * said // letters
        shared.append(replace(word, start_ms=begin, end_ms=end))
    return shared
