from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from speechlytics.config import TranscribeConfig
from speechlytics.records import ChannelActivity, Interval
from speechlytics.transcribe import TimeMap, WindowShape, prepare_windows
from speechlytics.transcribe.halves import halve
from speechlytics.transcribe.windows import pack_channel
from tests.spoken_calls import spoken_call

RATE_HZ = 8000
SHAPE = WindowShape(n_mels=80, window_s=6.0, encoder_s=(10.0,))


@st.composite
def islands(draw: st.DrawFn) -> tuple[int, tuple[Interval, ...]]:
    """A recording's length and disjoint stretches of speech in it, ms."""
    at, found = 0, []
    for gap, length in draw(
        st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 9000)), max_size=12)
    ):
        found.append(Interval(at + gap, at + gap + length))
        at += gap + length
    return at + draw(st.integers(0, 2000)), tuple(found)


def pack(duration_ms: int, speech: tuple[Interval, ...], pad_ms: int, max_ms: int) -> list[TimeMap]:
    samples = np.random.default_rng(1).integers(-99, 99, duration_ms * 8, dtype=np.int16)
    channel = ChannelActivity(0, "agent", speech, ())
    return pack_channel(samples, RATE_HZ, channel, pad_ms, max_ms)


@given(islands(), st.integers(0, 400), st.integers(2000, 15000))
def test_packing_keeps_all_speech_once_and_nothing_twice(
    recording: tuple[int, tuple[Interval, ...]], pad_ms: int, max_ms: int
) -> None:
    duration_ms, speech = recording
    maps = pack(duration_ms, speech, pad_ms, max_ms)
    pieces = [piece for times in maps for piece in times.pieces]
    for times in maps:
        assert times.duration_ms <= max_ms
        assert times.pieces[0].offset_ms == 0
        for piece, following in pairwise(times.pieces):
            assert following.offset_ms == piece.offset_ms + piece.duration_ms
    for piece, following in pairwise(pieces):
        assert piece.end_ms <= following.start_ms
    for piece in pieces:
        assert 0 <= piece.start_ms <= piece.speech_start_ms < piece.speech_end_ms <= piece.end_ms
        assert piece.end_ms <= duration_ms
        assert piece.speech_start_ms - piece.start_ms <= pad_ms
        assert piece.end_ms - piece.speech_end_ms <= pad_ms
    spoken = {ms for island in speech for ms in range(island.start_ms, island.end_ms)}
    packed = [ms for p in pieces for ms in range(p.speech_start_ms, p.speech_end_ms)]
    assert sorted(packed) == sorted(spoken)


@given(islands(), st.integers(0, 400), st.data())
def test_time_maps_round_trip(
    recording: tuple[int, tuple[Interval, ...]], pad_ms: int, data: st.DataObject
) -> None:
    duration_ms, speech = recording
    for times in pack(duration_ms, speech, pad_ms, 8000):
        window_ms = data.draw(st.integers(0, times.duration_ms - 1))
        recording_ms = times.to_recording(window_ms)
        assert times.to_window(recording_ms) == window_ms
        assert times.piece_at(window_ms).start_ms <= recording_ms


def test_time_left_out_has_no_place_in_the_window() -> None:
    (times,) = pack(9000, (Interval(1000, 2000), Interval(6000, 7000)), 200, 8000)
    assert times.to_window(4000) is None
    assert times.to_window(6000) == 1600
    assert times.to_recording(1600) == 6000
    assert times.to_recording(-5) == 800
    assert times.to_recording(99999) == 7200


def test_windows_are_equally_long_rather_than_one_full_and_one_tiny() -> None:
    speech = tuple(Interval(at, at + 1600) for at in range(1000, 23000, 4000))
    lengths = [times.duration_ms for times in pack(30000, speech, 200, 8500)]
    assert lengths == [6000, 6000]


def test_a_long_island_is_cut_where_it_is_quiet() -> None:
    samples = np.random.default_rng(2).integers(-9000, 9000, 10 * RATE_HZ, dtype=np.int16)
    quiet = slice(int(4.4 * RATE_HZ), int(4.6 * RATE_HZ))
    samples[quiet] //= 500
    channel = ChannelActivity(0, "agent", (Interval(0, 10000),), ())
    maps = pack_channel(samples, RATE_HZ, channel, 200, 6000)
    cut_ms = maps[0].pieces[-1].end_ms
    assert 4400 <= cut_ms <= 4600
    assert maps[1].pieces[0].start_ms == cut_ms


def test_channels_never_share_a_window_and_silence_makes_none() -> None:
    call = spoken_call([(0, 2), (0, 4)])
    windows = prepare_windows(
        call.waveform, call.activity, call_id="a", config=TranscribeConfig(), shape=SHAPE
    )
    assert {window.channel for window in windows} == {0}
    assert [window.role for window in windows] == ["agent"] * len(windows)
    for window in windows:
        assert window.features.shape == (80, window.duration_ms // 10 + 1)


def test_halves_hold_the_same_pieces() -> None:
    call = spoken_call([(0, 2), (0, 4), (0, 6)], gaps_ms=(1000,))
    shape = WindowShape(n_mels=80, window_s=20.0, encoder_s=(30.0,))
    (window,) = prepare_windows(
        call.waveform, call.activity, call_id="a", config=TranscribeConfig(), shape=shape
    )
    halves = halve(window)
    assert halves is not None
    assert sum(half.duration_ms for half in halves) == window.duration_ms
    starts = [piece.start_ms for half in halves for piece in half.times.pieces]
    assert starts == [piece.start_ms for piece in window.times.pieces]
    assert all(half.times.pieces[0].offset_ms == 0 for half in halves)
    alone = [part for half in halves for part in (halve(half),) if part is None]
    assert len(alone) == 1  # three pieces: one half cannot be halved again


def test_workers_load_no_speech_library() -> None:
    program = (
        "import sys, speechlytics.transcribe as t; from speechlytics.config import *;"
        "t.window_shape(TranscribeConfig()); t.engine_settings(TranscribeConfig());"
        "heavy = {'faster_whisper', 'ctranslate2', 'av', 'onnxruntime', 'huggingface_hub'};"
        "sys.exit(str(sorted(heavy & set(sys.modules))) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr
