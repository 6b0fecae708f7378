"""Why a segment should be doubted. Doubt is written down; nothing is deleted for it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence

from speechlytics.config import TranscribeConfig
from speechlytics.records import Interval, Segment, Suspect

# What Whisper learned from subtitle files and says over noise and music. Matched against the
# whole segment only: a caller may well say "thank you for watching over it".
_CREDITS = re.compile(
    r"(субтитр\w* (сделал\w*|создавал\w*|подготов\w*|подогнал\w*|добавил\w*)\b.*"
    r"|редактор субтитров\b.*|корректор\b.{0,40}|продолжение следует"
    r"|спасибо за просмотр|подписывайтесь на (мой |наш )?канал.*|девушки отдыхают\b.*"
    r"|субтитри\b.*|дякую за перегляд|дякуємо за перегляд|далі буде"
    r"|subtitles by\b.*|subtitled by\b.*|captions by\b.*|transcribed by\b.*|amara org\b.*"
    r"|thanks for watching|thank you for watching|please subscribe\b.*|like and subscribe"
    r"|feliratok\b.*|a feliratot\b.*|köszönöm a figyelmet"
    r"|дзякуй за прагляд|працяг будзе)"
)
# Consecutive repeats of one, two, three or more words that nobody says on purpose. Digits and
# "yes, yes, yes" come in fours.
_REPEATS = {1: 6, 2: 4, 3: 3}
_LONGEST_PHRASE = 12


def suspect(
    segment: Segment,
    heard: Sequence[Interval],
    speech: Sequence[Interval],
    config: TranscribeConfig,
) -> Suspect | None:
    """Why to doubt a segment, the strongest reason first.

    Args:
        segment: Segment with text, words and the figures of its window.
        heard: Where the model puts the words, not yet moved into speech.
        speech: Where somebody speaks on this channel, in order.
        config: Thresholds.
    """
    tokens = re.findall(r"\w+", segment.text.lower())
    ratio = compression_ratio(segment.text)
    if ratio > config.max_compression_ratio or repeats(tokens):
        return "loop"
    if 2 * _shared_ms(heard, speech) < sum(max(word.duration_ms, 1) for word in heard):
        return "over_non_talk"
    improbable = segment.avg_logprob is not None and segment.avg_logprob < config.min_avg_logprob
    if improbable or _CREDITS.fullmatch(" ".join(tokens)):
        return "low_confidence"
    return None


def compression_ratio(text: str) -> float:
    """Bytes of a text per byte of its zlib form, as Whisper defines it."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def repeats(tokens: Sequence[str]) -> bool:
    """Whether a phrase is said over and over without anything between."""
    for size in range(1, min(_LONGEST_PHRASE, len(tokens) // 2) + 1):
        needed = _REPEATS[min(size, 3)]
        run = 0
        for at in range(size, len(tokens)):
            run = run + 1 if tokens[at] == tokens[at - size] else 0
            if run >= size * (needed - 1):
                return True
    return False


def _shared_ms(heard: Sequence[Interval], speech: Sequence[Interval]) -> int:
    total = 0
    for word in heard:
        for island in speech:
            if island.start_ms >= word.end_ms:
                break
            total += max(0, min(word.end_ms, island.end_ms) - max(word.start_ms, island.start_ms))
    return total
