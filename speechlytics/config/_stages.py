"""Sections of the stages: measurement knobs, each with its unit."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from speechlytics.config._section import Language, Positive, Section, Share


class AudioConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits within which a recording is decoded."""

    max_duration_s: Positive = 4 * 3600
    max_packet_loss: Share = 0.2
    max_channels: Positive = 8
    fake_stereo_similarity: Share = 0.95


class ActivityConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How speech, silence and hold music are told apart (source: measured, docs/activity.md).

    Attributes:
        vad_level: webrtcvad's aggressiveness; 3 cuts the ends of words.
        frame_ms: Its frame, the grain of every boundary.
        fill_gap_ms: Shorter pauses belong to the speech around them.
        drop_island_ms: Shorter sounds are no speech.
        noise_percentile: Share of a channel's frames taken for its noise, percent.
        above_noise_db: How far above the noise a voice must rise.
        keep_above_noise_db: How far above the noise it may fall again.
        quietest_noise_db: No line is taken to be quieter than this, dBFS.
        digital_silence_db: Frames up to this level carry no sound at all, dBFS.
        music_run_ms: Shortest sustained sound that can be hold music.
        music_fill_gap_ms: Shorter rests belong to the music.
        music_judge_probability: Silero's probability above which a sound is a voice.
        music_judge_burst_ms: Shorter evidence of a voice does not interrupt music.
        music_judge_reach_ms: No music is sought this close to a voice.
        min_silence_ms: Shortest non-talk span that is recorded.
        min_overtalk_ms: Shortest overtalk that counts: turns overlap by less all the time.
    """

    vad_level: Annotated[int, Meta(ge=0, le=3)] = 2
    frame_ms: Literal[10, 20, 30] = 30
    fill_gap_ms: Positive = 300
    drop_island_ms: Positive = 120
    noise_percentile: Annotated[float, Meta(ge=0, le=100)] = 10.0
    above_noise_db: float = 8.0
    keep_above_noise_db: float = 3.0
    quietest_noise_db: float = -70.0
    digital_silence_db: float = -80.0
    music_run_ms: Positive = 8000
    music_fill_gap_ms: Positive = 1500
    music_judge_probability: Share = 0.5
    music_judge_burst_ms: Positive = 400
    music_judge_reach_ms: Positive = 400
    min_silence_ms: Positive = 1000
    min_overtalk_ms: Positive = 300


class TranscribeConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How speech becomes text. Values of ``None`` or ``auto`` follow the model and the machine.

    Attributes:
        model: Name in ``models/registry.toml``, or a folder.
        languages: Allow-list; one entry fixes the language, several are detected among.
        beam_size: Width of the beam search; 1 is greedy.
        batch_size: Windows decoded together.
        window_s: Longest stretch of packed speech handed to the model at once.
        encoder_s: Lengths to which windows are filled up before encoding (the smallest that
            fits is taken); 30 is what Whisper was trained on, shorter is faster.
        timestamps: Decode with Whisper's timestamp tokens. Word times never depend on them.
        hotwords: Prompt words. Never taken from phrase packs: they would prompt the
            recogniser with the very evidence that is sought.
        device: ``auto``, ``cpu`` or ``cuda``; ``compute_type`` and threads likewise.
        cpu_threads: Windows worked on at once on a CPU, one thread each; 0 takes every core.
        gpus: Model processes on as many GPUs, the first ones; 0 takes all that are visible.
        download: Whether a missing model may be fetched from a hub.
        pad_ms: Sound kept around a stretch of speech.
        segment_pause_ms: A pause this long between two words starts a new segment.
        max_compression_ratio: Above it a text repeats itself (Whisper's threshold).
        min_avg_logprob: Below it a text is not trusted (Whisper's threshold).
        max_no_speech_prob: Above it, together with ``min_avg_logprob``, the model itself says that
            nobody speaks, and nothing is written (Whisper's rule).
        max_unheard_ms: Speech without a single word, in one window, above which the window is
            decoded again.
        load_timeout_s: The model must be ready after this time.
        hang_timeout_s: A batch may take this long plus ``slowest_rtf`` times its audio.
        slowest_rtf: Processing time per audio time that still counts as alive.
        queue_windows: Windows waiting for the model before those who bring more must wait; at
            least as many as fill the engine.
    """

    model: str = "demo"
    languages: tuple[Language, ...] = ()
    beam_size: Positive = 5
    batch_size: Positive | None = None
    window_s: Annotated[float, Meta(gt=1, le=30)] | None = None
    encoder_s: tuple[Annotated[float, Meta(gt=1, le=30)], ...] = ()
    timestamps: bool | None = None
    hotwords: str | None = None
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    cpu_threads: Annotated[int, Meta(ge=0)] = 0
    gpus: Annotated[int, Meta(ge=0)] = 0
    download: bool = False
    pad_ms: Annotated[int, Meta(ge=0)] = 200
    segment_pause_ms: Positive = 600
    max_compression_ratio: float = 2.4
    min_avg_logprob: float = -1.0
    max_no_speech_prob: Share = 0.6
    max_unheard_ms: Positive = 1500
    load_timeout_s: Positive = 300
    hang_timeout_s: Positive = 120
    slowest_rtf: Annotated[float, Meta(gt=0)] = 10.0
    queue_windows: Positive = 128


class PhrasesConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which phrase packs listen, and how forgiving they are.

    Attributes:
        packs: Folders of packs; none means the shipped ones.
        fuzzy_cutoff: Least similarity (0–100) at which a garbled word counts as the word.
        backchannel_words: Most words of the others («угу, понятно») over which a phrase may
            run on into the speaker's next turn.
        join_gap_ms: Longest pause over which it may run on.
    """

    packs: tuple[str, ...] = ()
    fuzzy_cutoff: Annotated[float, Meta(ge=50, le=100)] = 85.0
    backchannel_words: Annotated[int, Meta(ge=0)] = 4
    join_gap_ms: Positive = 15_000
