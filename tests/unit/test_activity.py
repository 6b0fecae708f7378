"""Who speaks when, on calls whose truth is known because they were put together here."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import webrtcvad

from models.training import line
from speechlytics.activity import channel_roles, measure, non_talk, silero, vad
from speechlytics.config import ActivityConfig
from speechlytics.errors import ModelMissing
from speechlytics.records import CallActivity, Interval, Role, Silence
from tests import signals

CONFIG = ActivityConfig()
STEREO: tuple[Role, ...] = ("agent", "customer")


def _measure(samples: np.ndarray, rate_hz: int = 8000, roles: tuple[Role, ...] = STEREO):
    return measure(signals.waveform(samples, rate_hz), roles, CONFIG)


def _score(duration_ms: int, channels: int = 2) -> signals.Score:
    return signals.Score(duration_ms, channels)


def _near(found: int, truth: int, within_ms: int = 90) -> bool:
    return abs(found - truth) <= within_ms


@pytest.fixture(scope="module")
def clips() -> tuple[signals.Clip, ...]:
    return signals.load_clips(8000)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


class TestSilence:
    def test_dead_air_between_the_parties(self, clips, rng) -> None:
        score = _score(30_000)
        asked = score.say(clips[1], 2_000, channel=1)
        answered = score.say(clips[0], 20_000, channel=0)
        activity = _measure(score.call(-55, rng).samples)
        leading, dead_air, trailing = activity.silences
        assert (leading.position, dead_air.position, trailing.position) == (
            "leading",
            "inner",
            "trailing",
        )
        assert _near(dead_air.start_ms, asked)
        assert _near(dead_air.end_ms, 20_000)
        assert dead_air.kind == "silence"
        assert (dead_air.before_role, dead_air.after_role) == ("customer", "agent")
        assert (leading.before_role, leading.after_role) == (None, "customer")
        assert (trailing.before_role, trailing.after_role) == ("agent", None)
        assert _near(trailing.start_ms, answered)
        assert trailing.end_ms == activity.duration_ms == 30_000
        assert dead_air.announced is None
        assert dead_air.after_question is None
        assert dead_air.thanked is None

    def test_one_speaks_while_the_other_is_silent(self, clips, rng) -> None:
        score = _score(40_000)
        at = 500
        while at < 38_000:
            at = score.say(clips[at % len(clips)], at, channel=0) + 400
        activity = _measure(score.call(-55, rng).samples)
        assert [s for s in activity.silences if s.position == "inner"] == []
        assert activity.customer_talk_ms == 0
        assert activity.agent_talk_ms is not None
        assert activity.agent_talk_ms > 30_000

    def test_nobody_speaks(self, rng) -> None:
        noise = np.stack([line.noise(80_000, -45, rng) for _ in range(2)])
        activity = _measure(noise)
        assert activity.silences == (Silence(0, 10_000, "silence", "leading", None, None),)
        assert (activity.agent_talk_ms, activity.customer_talk_ms) == (0, 0)

    @pytest.mark.parametrize("samples", [0, 1, 239, 241])
    def test_hardly_any_audio(self, samples: int) -> None:
        activity = _measure(np.zeros((2, samples), np.int16))
        assert activity.duration_ms == samples // 8
        assert activity.silences == ()

    def test_digital_silence_and_a_constant_are_silent(self) -> None:
        samples = np.zeros((2, 80_000), np.int16)
        samples[1] = 8  # the quietest step of A-law, which has no zero
        activity = _measure(samples)
        assert [channel.speech for channel in activity.channels] == [(), ()]

    def test_short_pauses_are_not_listed(self, clips, rng) -> None:
        score = _score(12_000)
        end = score.say(clips[0], 300, channel=0)
        score.say(clips[1], end + 700, channel=0)
        silences = _measure(score.call(-60, rng).samples).silences
        assert "inner" not in {silence.position for silence in silences}


class TestHold:
    @pytest.mark.parametrize("legs", [(0,), (1,), (0, 1)])
    def test_hold_music_on_any_leg(self, clips, rng, legs: tuple[int, ...]) -> None:
        score = _score(45_000)
        said = score.say(clips[0], 1_000, channel=0)
        music = signals.generated_tune(25.0, rng, 8000)
        for leg in legs:
            score.play(music, said + 600, leg)
        score.say(clips[1], said + 26_500, channel=0)
        activity = _measure(score.call(-55, rng).samples)
        (hold,) = [s for s in activity.silences if s.kind == "hold_music"]
        assert _near(hold.start_ms, said + 600, 120)
        assert _near(hold.end_ms, said + 25_600, 400)
        assert (hold.position, hold.before_role, hold.after_role) == ("inner", "agent", "agent")
        assert {c.channel for c in activity.channels if c.music} == set(legs)

    def test_a_customer_who_speaks_over_the_music_is_heard(self, clips, rng) -> None:
        score = _score(40_000)
        said = score.say(clips[0], 500, channel=0)
        score.play(signals.generated_tune(30.0, rng, 8000), said + 500, channel=0)
        spoke = score.say(clips[1], 15_000, channel=1)
        activity = _measure(score.call(-55, rng).samples)
        assert any(
            _near(i.start_ms, 15_000) and _near(i.end_ms, spoke)
            for i in activity.channels[1].speech
        )
        holds = [s for s in activity.silences if s.kind == "hold_music"]
        assert [_near(holds[0].end_ms, 15_000), _near(holds[1].start_ms, spoke)] == [True, True]
        assert activity.channels[1].music == ()

    def test_silence_before_music_is_a_silence_of_its_own(self, clips, rng) -> None:
        score = _score(40_000)
        said = score.say(clips[0], 500, channel=0)
        score.play(signals.generated_tune(15.0, rng, 8000), said + 4_000, channel=0)
        score.say(clips[1], 30_000, channel=1)
        kinds = [
            (s.kind, s.position, s.before_role, s.after_role)
            for s in _measure(score.call(-55, rng).samples).silences
            if s.position == "inner"
        ]
        assert kinds == [
            ("silence", "inner", "agent", "customer"),
            ("hold_music", "inner", "agent", "customer"),
            ("silence", "inner", "agent", "customer"),
        ]

    def test_a_monologue_is_no_music(self, clips, rng) -> None:
        score = _score(60_000, channels=1)
        at = 0
        while at < 55_000:
            at = score.say(clips[at % len(clips)], at, channel=0) + 120
        activity = _measure(score.call(-55, rng).samples)
        assert activity.channels[0].music == ()

    def test_music_makes_no_talk(self, rng) -> None:
        music = signals.generated_tune(30.0, rng, 8000)[None]
        activity = _measure(np.concatenate((music, np.zeros_like(music))))
        assert activity.agent_talk_ms == 0
        assert {s.kind for s in activity.silences} == {"hold_music"}


class TestRolesAndSums:
    def test_mono_knows_neither_roles_nor_overtalk(self, clips, rng) -> None:
        activity = _measure(signals.dialogue(clips, rng, turns=4).mono().samples)
        assert [channel.role for channel in activity.channels] == ["unknown"]
        assert activity.agent_talk_ms is None
        assert activity.customer_talk_ms is None
        assert activity.overtalk_ms is None
        assert activity.overtalk_count is None

    def test_overtalk(self, clips, rng) -> None:
        score = _score(12_000)
        end = score.say(clips[0], 1_000, channel=0)
        score.say(clips[1], end - 900, channel=1)
        activity = _measure(score.call(-60, rng).samples)
        assert activity.overtalk_count == 1
        assert activity.overtalk_ms is not None
        assert _near(activity.overtalk_ms, 900, 150)

    def test_an_announcement_is_nobodys_overtalk(self, clips, rng) -> None:
        score = _score(12_000)
        score.say(clips[0], 1_000, channel=0)
        score.say(clips[1], 1_000, channel=1)
        activity = _measure(score.call(-60, rng).samples, roles=("ivr", "customer"))
        assert activity.overtalk_ms is None
        assert activity.agent_talk_ms is None
        assert activity.customer_talk_ms is not None
        assert activity.customer_talk_ms > 1_000

    @pytest.mark.parametrize(
        ("channels", "roles", "expected"),
        [
            (1, ("agent", "customer"), ("unknown",)),
            (1, ("customer",), ("customer",)),
            (2, ("customer", "agent"), ("customer", "agent")),
            (3, ("agent", "customer"), ("agent", "customer", "unknown")),
            (2, (), ("unknown", "unknown")),
            (2, ("agent", "customer", "ivr"), ("agent", "customer")),
        ],
    )
    def test_channel_roles(self, channels, roles, expected) -> None:
        assert channel_roles(channels, roles) == expected

    def test_sums_count_inner_spans(self) -> None:
        spans = (
            Silence(0, 5_000, "silence", "leading", None, "agent"),
            Silence(9_000, 11_000, "silence", "inner", "agent", "customer"),
            Silence(11_000, 30_000, "hold_music", "inner", "agent", "customer"),
            Silence(40_000, 43_000, "silence", "inner", "agent", "customer"),
            Silence(50_000, 60_000, "silence", "trailing", "agent", None),
        )
        sums = non_talk(spans)
        assert (sums.non_talk_ms, sums.longest_silence_ms) == (24_000, 3_000)
        assert non_talk(()).longest_silence_ms is None


class TestInvariance:
    def test_a_delay_by_whole_frames_shifts_everything(self, clips, rng) -> None:
        """Digital silence teaches webrtcvad nothing, so that what follows is the same."""
        samples = signals.int16(signals.dialogue(clips, rng, turns=4, noise_db=None).samples)
        samples[:, -1] = 0
        frames, frame = 50, 240
        late = np.pad(samples, ((0, 0), (frames * frame, 0)))
        shift = frames * CONFIG.frame_ms
        one, other = _measure(samples), _measure(late)
        moved = [
            tuple(Interval(i.start_ms - shift, i.end_ms - shift) for i in c.speech + c.music)
            for c in other.channels
        ]
        assert moved == [c.speech + c.music for c in one.channels]

    def test_swapped_channels_swap_the_parties(self, clips, rng) -> None:
        samples = signals.dialogue(clips, rng, turns=5).samples
        one = _measure(samples)
        other = _measure(samples[::-1], roles=("customer", "agent"))
        assert other.silences == one.silences
        assert (other.agent_talk_ms, other.customer_talk_ms, other.overtalk_ms) == (
            one.agent_talk_ms,
            one.customer_talk_ms,
            one.overtalk_ms,
        )

    def test_the_order_of_calls_does_not_matter(self, clips, rng) -> None:
        call = signals.dialogue(clips, rng, turns=4)
        first: CallActivity = _measure(call.samples)
        _measure(signals.dialogue(clips, rng, turns=4).samples)
        assert _measure(call.samples) == first


class TestFramesThatAreNotJudged:
    """webrtcvad hears only the edges of long stretches below the gate."""

    @staticmethod
    def judged(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
        """Verdicts with and without sparing frames, and how many frames were judged."""
        framed = vad.frames(signals.int16(samples), 240)
        level_db = vad.frame_level_db(framed)
        asked: list[int] = []

        class Counting(webrtcvad.Vad):
            def is_speech(self, buf: bytes, sample_rate: int, length: int | None = None) -> bool:
                asked.append(1)
                return super().is_speech(buf, sample_rate, length)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(vad.webrtcvad, "Vad", Counting)
            spared = vad.voiced_frames(framed, 8000, level_db, CONFIG)
        all_audible = level_db > CONFIG.digital_silence_db
        return spared, vad._verdicts(framed, 8000, all_audible, CONFIG), len(asked)

    def test_a_quiet_line_is_spared_and_nothing_changes(self, clips, rng) -> None:
        score = _score(60_000, channels=1)
        score.say(clips[0], 500, channel=0)
        score.say(clips[1], 50_000, channel=0)
        spared, full, asked = self.judged(score.call(-55, rng).samples[0])
        assert asked < 0.5 * len(full)
        changed = np.count_nonzero(spared != full)
        assert changed <= 0.01 * np.count_nonzero(full)

    def test_a_faint_tune_of_one_loudness_is_judged_throughout(self, rng) -> None:
        notes = rng.choice([220, 262, 330, 392, 494, 587], size=80)
        pitch_hz = np.repeat(notes, 2000) * np.arange(1, 6)[:, None]  # five harmonics, 250 ms each
        tune = np.sin(2 * np.pi * np.cumsum(pitch_hz, axis=1) / 8000).sum(axis=0)
        spared, full, asked = self.judged(0.004 * tune)
        assert full.mean() > 0.8, "no test without a tune that sounds like a voice"
        assert (spared == full).all()
        assert asked > len(full), "once at the edges, then throughout"


class TestSilero:
    def test_agrees_with_the_original_on_its_first_seconds(self, clips) -> None:
        from faster_whisper.vad import get_vad_model

        clip = signals.load_clips(16000)[1]
        samples = signals.int16(clip.samples)[: 512 * 60]
        theirs = get_vad_model()(samples.astype(np.float32) / 32768)
        ours = silero.speech_probability(samples, 16000, 0, len(samples) // 16)
        assert np.abs(ours[: len(theirs)] - theirs.reshape(-1)).max() < 1e-3

    def test_telephone_rate_says_nearly_the_same(self, clips) -> None:
        narrow = signals.int16(clips[1].samples)
        wide = signals.int16(signals.load_clips(16000)[1].samples)
        of_narrow = silero.speech_probability(narrow, 8000, 0, 1920)
        of_wide = silero.speech_probability(wide, 16000, 0, 1920)
        assert np.mean((of_narrow > 0.5) == (of_wide > 0.5)) > 0.85

    def test_beyond_the_end_is_silence(self) -> None:
        assert len(silero.speech_probability(np.zeros(100, np.int16), 8000, 0, 4_000)) == 125
        assert len(silero.speech_probability(np.zeros(100, np.int16), 8000, 0, 0)) == 0

    def test_missing_model_says_what_to_do(self, monkeypatch) -> None:
        monkeypatch.setattr(silero, "find_spec", lambda name: None)
        with pytest.raises(ModelMissing, match="pip install"):
            silero.model_path()

    def test_short_talk_never_loads_it(self, clips, rng, monkeypatch) -> None:
        def refuse() -> None:
            raise AssertionError

        monkeypatch.setattr(silero, "_session", refuse)
        score = _score(20_000)
        score.say(clips[0], 500, channel=0)
        score.say(clips[1], 6_000, channel=1)
        assert _measure(score.call(-55, rng).samples).agent_talk_ms

    def test_faster_whisper_is_not_imported(self) -> None:
        assert find_spec("faster_whisper") is not None
        source = sys.modules["speechlytics.activity.silero"].__dict__
        assert "faster_whisper" not in source
