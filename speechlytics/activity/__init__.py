"""Waveforms → who speaks when, silences, hold: the acoustic facts of a call, without words.

    measure(waveform, roles, config) → CallActivity

webrtcvad with an energy gate finds activity, Silero tells sustained sound apart from speech
(`vad`, `music`), and the channels together give non-talk, talk and overtalk (`silences`).
Figures: docs/activity.md.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from speechlytics.activity.intervals import subtract, to_intervals, total
from speechlytics.activity.music import find_music
from speechlytics.activity.silences import find_silences, overtalk, talk_ms
from speechlytics.activity.vad import activity, find_sound
from speechlytics.config import ActivityConfig
from speechlytics.records import CallActivity, ChannelActivity, Role, Silence, Waveform

__all__ = ["NonTalk", "channel_roles", "measure", "non_talk"]


@dataclass(frozen=True, slots=True)
class NonTalk:
    """Sums over a call's inner non-talk.

    ``longest_silence_ms`` leaves music out and is ``None`` where there is no inner silence.
    """

    non_talk_ms: int
    longest_silence_ms: int | None


def measure(waveform: Waveform, roles: tuple[Role, ...], config: ActivityConfig) -> CallActivity:
    """Measure who speaks when in one call.

    Args:
        waveform: int16, shape ``(channels, n_samples)``, at 8 or 16 kHz.
        roles: Role per channel as configured; see `channel_roles`.
        config: Thresholds.

    Raises:
        ModelMissing: sustained sound must be judged and Silero's file is not installed.
    """
    rows = np.atleast_2d(waveform.samples)
    duration_ms = rows.shape[1] * 1000 // waveform.rate_hz
    channels = tuple(
        _measure_channel(index, role, np.ascontiguousarray(row), waveform.rate_hz, config)
        for index, (row, role) in enumerate(zip(rows, channel_roles(len(rows), roles), strict=True))
    )
    both = overtalk(channels, config)
    return CallActivity(
        duration_ms=duration_ms,
        channels=channels,
        silences=find_silences(channels, duration_ms, config),
        agent_talk_ms=talk_ms(channels, "agent"),
        customer_talk_ms=talk_ms(channels, "customer"),
        overtalk_ms=None if both is None else total(both),
        overtalk_count=None if both is None else len(both),
    )


def channel_roles(channels: int, roles: tuple[Role, ...]) -> tuple[Role, ...]:
    """Role of every channel.

    One channel with several configured roles is everybody mixed, so ``unknown``; so are
    channels beyond the configured ones.
    """
    if channels == 1 and len(roles) != 1:
        return ("unknown",)
    unknown: tuple[Role, ...] = ("unknown",)
    return roles[:channels] + unknown * (channels - len(roles))


def non_talk(silences: Iterable[Silence]) -> NonTalk:
    """Sum the inner spans of a call's silences."""
    inner = [silence for silence in silences if silence.position == "inner"]
    quiet = [silence.duration_ms for silence in inner if silence.kind == "silence"]
    return NonTalk(
        non_talk_ms=sum(silence.duration_ms for silence in inner),
        longest_silence_ms=max(quiet, default=None),
    )


def _measure_channel(
    channel: int, role: Role, samples: NDArray[np.int16], rate_hz: int, config: ActivityConfig
) -> ChannelActivity:
    sound = find_sound(samples, rate_hz, config)
    active = activity(sound, config)
    music = find_music(active, sound, samples, rate_hz, config)
    return ChannelActivity(
        channel=channel,
        role=role,
        speech=to_intervals(subtract(active, music)),
        music=to_intervals(music),
    )
