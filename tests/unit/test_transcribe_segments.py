from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from speechlytics.config import TranscribeConfig
from speechlytics.errors import TranscriptionError
from speechlytics.records import CallActivity, ChannelActivity, Interval, Transcript
from speechlytics.transcribe import (
    Piece,
    TimeMap,
    Window,
    WindowFailure,
    WindowTranscript,
    WindowWord,
    segments_from,
)
from speechlytics.transcribe.drafts import Draft, better, doubt, unheard_ms
from speechlytics.transcribe.suspects import repeats
from speechlytics.transcribe.wordtimes import settle_word_times

CONFIG = TranscribeConfig()
# 1.0–3.0 s and 6.0–8.0 s of the recording with 0.2 s around them: 4.8 s of window.
PIECES = (Piece(0, 800, 3200, 1000, 3000), Piece(2400, 5800, 8200, 6000, 8000))
SPEECH = (Interval(1000, 3000), Interval(6000, 8000))


def window(channel: int = 0, pieces: tuple[Piece, ...] = PIECES) -> Window:
    return Window("call", channel, "agent", 0, np.zeros((80, 481), np.float32), TimeMap(pieces))


def heard(*words: tuple[str, int, int], **figures: Any) -> WindowTranscript:
    values: dict[str, Any] = {
        "language": "ru",
        "language_probability": 0.9,
        "avg_logprob": -0.2,
        "no_speech_prob": 0.0,
        "compression_ratio": 1.1,
    } | figures
    return WindowTranscript(words=tuple(WindowWord(*word, 0.9) for word in words), **values)


def transcript(result: WindowTranscript, config: TranscribeConfig = CONFIG) -> Transcript:
    activity = CallActivity(
        9000, (ChannelActivity(0, "agent", SPEECH, ()),), (), None, None, None, None
    )
    return segments_from([window()], [result], activity, config=config, model_id="m")


def test_words_return_to_the_recording_and_pauses_part_segments() -> None:
    found = transcript(heard(("Алло,", 300, 700), ("да", 1700, 2100), ("нет.", 2700, 3100)))
    assert [s.text for s in found.segments] == ["Алло,", "да", "нет."]
    assert [(s.start_ms, s.end_ms) for s in found.segments] == [
        (1100, 1500),
        (2500, 2900),
        (6100, 6500),
    ]
    assert [s.segment_id for s in found.segments] == [0, 1, 2]
    assert (found.language, found.language_probability) == ("ru", 0.9)
    assert (found.source, found.model_id) == ("asr", "m")


def test_a_short_pause_between_islands_does_not_part_a_segment() -> None:
    config = TranscribeConfig(segment_pause_ms=3500)
    found = transcript(heard(("один", 1500, 2100), ("два", 2700, 3100)), config)
    assert [s.text for s in found.segments] == ["один два"]


def test_words_are_held_inside_the_speech_they_were_heard_in() -> None:
    (segment,) = transcript(heard(("Алло", 0, 900))).segments
    assert (segment.start_ms, segment.end_ms) == (1000, 1700)
    # A word that alignment drew over the seam belongs to the stretch that holds most of it.
    (segment,) = transcript(heard(("потом", 2100, 3400))).segments
    assert (segment.start_ms, segment.end_ms) == (6000, 6800)


@given(
    st.lists(st.tuples(st.integers(0, 4800), st.integers(0, 900)), max_size=12),
)
def test_words_are_ordered_and_inside_speech_whatever_alignment_says(
    spans: list[tuple[int, int]],
) -> None:
    words = [("слово", start, start + length) for start, length in sorted(spans)]
    found = transcript(heard(*words))
    assert sum(len(s.words) for s in found.segments) == len(words)
    times = [(s.start_ms, s.segment_id) for s in found.segments]
    assert times == sorted(times)
    for segment in found.segments:
        for word in segment.words:
            assert any(i.start_ms <= word.start_ms <= word.end_ms <= i.end_ms for i in SPEECH)
        assert segment.start_ms == segment.words[0].start_ms
        assert segment.end_ms == max(word.end_ms for word in segment.words)


def test_segments_of_channels_are_sorted_by_time() -> None:
    first = (Piece(0, 2000, 3000, 2000, 3000),)
    second = (Piece(0, 1000, 1900, 1000, 1900),)
    activity = CallActivity(
        9000,
        (
            ChannelActivity(0, "agent", (Interval(2000, 3000),), ()),
            ChannelActivity(1, "customer", (Interval(1000, 1900),), ()),
        ),
        (),
        None,
        None,
        None,
        None,
    )
    found = segments_from(
        [window(0, first), window(1, second)],
        [heard(("поздно", 0, 400)), heard(("рано", 0, 400), language="uk")],
        activity,
        config=CONFIG,
        model_id="m",
    )
    assert [(s.text, s.channel, s.segment_id) for s in found.segments] == [
        ("рано", 1, 0),
        ("поздно", 0, 1),
    ]
    assert found.language == "ru"  # most was heard in it


def test_a_failed_window_names_call_place_and_reason() -> None:
    activity = CallActivity(9000, (), (), None, None, None, None)
    with pytest.raises(TranscriptionError, match=r"'call', channel 0, 0\.8–8\.2 s: SIGSEGV"):
        segments_from([window()], [WindowFailure("SIGSEGV")], activity, config=CONFIG, model_id="m")


def test_an_invented_segment_beside_speech_is_flagged_and_kept() -> None:
    (segment,) = transcript(heard(("Спасибо", 2205, 2395))).segments
    assert segment.suspect == "over_non_talk"
    assert segment.text == "Спасибо"


def test_low_probability_is_flagged() -> None:
    (segment,) = transcript(heard(("да", 300, 700), avg_logprob=-1.4)).segments
    assert segment.suspect == "low_confidence"


@pytest.mark.parametrize(
    "credit",
    [
        "Субтитры сделал DimaTorzok",
        "Продолжение следует...",
        "Редактор субтитров А.Семкин Корректор А.Егорова",
        "Thanks for watching!",
        "Дякую за перегляд!",
        "Subtitles by the Amara.org community",
    ],
)
def test_subtitle_credits_are_flagged_and_kept(credit: str) -> None:
    words = [(word, 300 + 100 * i, 390 + 100 * i) for i, word in enumerate(credit.split())]
    (segment,) = transcript(heard(*words)).segments
    assert segment.suspect == "low_confidence"
    assert segment.text == credit


@pytest.mark.parametrize(
    ("text", "looping"),
    [
        ("да да да да", False),
        ("ноль ноль ноль ноль пять", False),
        ("спасибо за звонок спасибо за звонок спасибо за звонок", True),
        ("не знаю не знаю", False),
        ("и и и и и и и", True),
        ("я перезвоню вам завтра в девять утра я перезвоню вам завтра", False),
        ("", False),
    ],
)
def test_repeats(text: str, *, looping: bool) -> None:
    assert repeats(text.split()) is looping


def test_a_loop_is_flagged() -> None:
    words = [("вода", 200 + 100 * i, 290 + 100 * i) for i in range(8)]
    (segment,) = transcript(heard(*words)).segments
    assert segment.suspect == "loop"


def draft(*words: tuple[str, int, int], ratio: float = 1.0, logprob: float = -0.3) -> Draft:
    return Draft(tuple(WindowWord(*w, 0.9) for w in words), logprob, 0.0, ratio, "first")


def test_doubts() -> None:
    whole = (("а", 200, 2200), ("б", 2600, 4600))
    assert doubt(draft(*whole), window(), CONFIG) is None
    assert doubt(draft(), window(), CONFIG) == "empty"
    assert doubt(replace(draft(), no_speech_prob=0.99), window(), CONFIG) is None
    assert doubt(draft(*whole, ratio=2.5), window(), CONFIG) == "loop"
    assert doubt(draft(*whole, logprob=-1.1), window(), CONFIG) == "improbable"
    assert doubt(draft(whole[0]), window(), CONFIG) == "unheard"
    assert unheard_ms(draft(whole[0]).words, TimeMap(PIECES)) == 2000
    assert unheard_ms(draft(*whole).words, TimeMap(PIECES)) == 0


def test_the_most_credible_attempt_is_kept() -> None:
    empty, loop = draft(logprob=-0.1), draft(("а", 200, 4600), ratio=9.0)
    half, whole = draft(("а", 200, 2200)), draft(("а", 200, 4600), logprob=-1.5)
    assert better([empty, loop, half], window(), CONFIG) is half
    assert better([empty, loop, half, whole], window(), CONFIG) is whole
    assert better([empty, loop], window(), CONFIG) is loop


def settled(*words: tuple[str, int, int]) -> list[tuple[int, int]]:
    found = settle_word_times([WindowWord(*word, 0.9) for word in words], TimeMap(PIECES))
    return [(word.start_ms, word.end_ms) for word in found]


def test_words_beside_a_pause_reach_to_it() -> None:
    assert settled(("раз", 300, 900), ("два", 900, 2000)) == [(200, 900), (900, 2200)]
    assert settled(("раз", 600, 900)) == [(600, 900)]  # too far from both edges


def test_words_that_collapsed_at_the_end_of_a_piece_share_what_is_left() -> None:
    words = [("раз", 200, 1000), ("четыре", 1000, 1040), ("шестой", 1040, 1040)]
    assert settled(*words) == [(200, 1000), (1000, 1600), (1600, 2200)]
    words.append(("потом", 2700, 4500))
    assert settled(*words)[3] == (2600, 4600)
    assert settled(*words)[:3] == [(200, 1000), (1000, 1600), (1600, 2200)]


def test_words_outside_speech_are_left_alone() -> None:
    assert settled(("Спасибо", 2205, 2395)) == [(2205, 2395)]
