"""pipeline.toml → frozen sections. An unknown key is an error that names it.

Measurement knobs (how a signal is read) live here. Judgement knobs (how long is long, what is
unresolved) live in SQL: macro defaults and ``reason_weights``. Paths in a file are relative to
the file.
"""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from speechlytics.errors import ConfigError

Positive = Annotated[int, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Language = Annotated[str, Meta(pattern="^[a-z]{2,3}$")]


replace = msgspec.structs.replace
"""``replace(section, key=value)``: a copy of a frozen section with other values."""


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all sections: frozen, keyword only, unknown keys refused."""


class MetadataSource(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One place that knows something about the recordings; later ones fill gaps of earlier.

    Attributes:
        kind: ``sidecar`` (NAME.json beside NAME.wav), ``manifest`` (CSV, JSONL or Parquet),
            ``asterisk_cdr`` (Master.csv without header), ``filename`` (regex with named groups),
            ``vcon`` (the source is a folder of vCons, not of recordings; the only entry then).
        file: Manifest or CDR file.
        columns: Our field name → column name in the file; a field that is not mapped is taken
            from the column of its own name (the recording also from ``file``).
        pattern: Regex with named groups, or the name of a shipped one (``asterisk-mixmonitor``).
        utc: Times without an offset are UTC, not local (Asterisk ``usegmtime``).
        delimiter: Column delimiter of a CSV; found out when not given.
        unrecorded_calls: Rows without a recording become ``no_recording`` calls.
        fetch: Recordings that a vCon names by http or https may be fetched.
        speakers: Role by name or address of a vCon's party that states none.
    """

    kind: Literal["sidecar", "manifest", "asterisk_cdr", "filename", "vcon"]
    file: str | None = None
    columns: dict[str, str] = {}
    pattern: str | None = None
    utc: bool = False
    delimiter: str | None = None
    unrecorded_calls: bool = True
    fetch: bool = False
    speakers: dict[str, Literal["agent", "customer", "ivr", "unknown"]] = {}


class ScreensConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A folder of screen captures, joined to calls by agent and time.

    Captures that a sidecar lists, or that lie in ``NAME.screens`` beside a recording, come first.

    Attributes:
        folder: Folder, or fsspec URL.
        pattern: Regex over the path below the folder, with a group ``agent_id`` or ``call_id``
            and mostly ``time`` (and ``monitor``, where one agent has several); none means the
            names of ``speechlytics screens record``. A picture or video without a match may have
            a sidecar NAME.json with ``agent_id`` or ``call_id``, ``started_at``, ``duration_ms``.
        utc: Times without an offset are UTC, not local.
    """

    folder: str
    pattern: str | None = None
    utc: bool = False


class SourceConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where recordings come from and what is known about them.

    A call without metadata has its file name for an id, and starts at the time in its file name,
    else at the file's modification time. Local times that the clock change skips count from the
    offset before it; of times that it repeats the first is meant.

    Attributes:
        path: Folder, glob, or fsspec URL.
        zone: IANA time zone of the contact centre: call dates and local times.
        region: ISO 3166 country in which numbers without a country code are read.
        roles: Role per channel.
        suffixes: File name endings taken for recordings.
        leg_pattern: Regex with groups ``call_id`` and ``leg`` that joins one file per leg into
            one call (legs sorted by ``leg`` unless ``legs`` orders them).
        legs: Values of ``leg`` in channel order, e.g. ``["rx", "tx"]``.
        metadata: Where metadata comes from, most trusted first.
        screens: Where the agents' screen captures lie.
    """

    path: str
    zone: str = "Europe/Moscow"
    region: Annotated[str, Meta(pattern="^[A-Z]{2}$")] = "RU"
    roles: tuple[Literal["agent", "customer", "ivr", "unknown"], ...] = ("agent", "customer")
    suffixes: tuple[str, ...] = (
        ".wav", ".wav49", ".gsm", ".mp3", ".ogg", ".opus", ".oga", ".flac", ".m4a", ".mp4",
        ".aac", ".amr", ".awb", ".wma", ".webm", ".g722", ".ulaw", ".alaw", ".ul", ".al", ".spx",
    )  # fmt: skip
    leg_pattern: str | None = None
    legs: tuple[str, ...] = ()
    metadata: tuple[MetadataSource, ...] = ()
    screens: ScreensConfig | None = None


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
    queue_windows: Positive = 512


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


class StoreConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go.

    Attributes:
        path: Folder, or URL of a place in a bucket (``s3://bucket/store``).
        key_file: Makes customer pseudonyms; ``<store>.key`` beside the store, for a bucket in the
            folder of the pipeline file.
        work: For a bucket: local folder of its lock, spool and catalog; a folder of the user's
            cache unless given.
        storage_options: What reaching a bucket needs, in delta-rs's names (``AWS_ENDPOINT_URL``,
            ``AWS_REGION``, …). Secrets are better left to the environment.
    """

    path: str = "store"
    key_file: str | None = None
    work: str | None = None
    storage_options: dict[str, str] = {}

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return "://" not in self.path

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def key_path(self) -> Path:
        """Where the key of the customer pseudonyms lies: beside a local store unless told."""
        if self.key_file is not None:
            return Path(self.key_file)
        beside = f"{self.name}.key"
        return Path(self.path).with_name(beside) if self.is_local else Path(beside).absolute()


class RayConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a Ray cluster is divided; 0 is chosen by the size of the cluster at the start.

    Attributes:
        address: ``host:port``, ``ray://…``, or ``local`` for one on this machine; without it
            ``RAY_ADDRESS``, else a cluster that runs here, else one started here.
        worker_cpus: CPUs that a decoding worker occupies; ``run.workers`` says how many.
        model_actors: Speech models: one per GPU, without GPU one per machine.
        model_cpus: CPUs of each, which are its threads too: with a GPU 1, else three quarters
            of the smallest machine.
        model_gpus: GPUs of each, where there are any.
        start_timeout_s: How long the cluster may give no worker at all.
    """

    address: str | None = None
    worker_cpus: Annotated[float, Meta(gt=0)] = 1.0
    model_actors: Annotated[int, Meta(ge=0)] = 0
    model_cpus: Annotated[float, Meta(ge=0)] = 0.0
    model_gpus: Annotated[float, Meta(gt=0)] = 1.0
    start_timeout_s: Positive = 600


class RunConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the batch job uses this machine and how patient it is."""

    workers: Annotated[int, Meta(ge=0)] = 0
    call_timeout_s: Positive = 600
    call_memory_mb: Positive = 2048
    attempts: Positive = 2
    publish_every_calls: Positive = 2000
    publish_every_s: Positive = 900
    transcribe: bool = True
    runner: Literal["local", "ray"] = "local"
    ray: RayConfig = RayConfig()


class ExportConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One export that the nightly job writes when it is done."""

    what: str
    format: Literal["csv", "jsonl", "xlsx", "parquet"] = "csv"
    out: str
    new: bool = False


class Config(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole pipeline file."""

    source: SourceConfig
    audio: AudioConfig = AudioConfig()
    activity: ActivityConfig = ActivityConfig()
    transcribe: TranscribeConfig = TranscribeConfig()
    phrases: PhrasesConfig = PhrasesConfig()
    store: StoreConfig = StoreConfig()
    run: RunConfig = RunConfig()
    export: tuple[ExportConfig, ...] = ()


def load(path: Path) -> Config:
    """Read a pipeline file; relative paths in it become absolute.

    Raises:
        ConfigError: the file cannot be read, is not TOML, or holds an unknown key, a value of
            the wrong kind, an unknown time zone or an invalid regex.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); check the path") from error
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error
    try:
        config = msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise ConfigError(_explain(path, text, str(error))) from error
    check(config, str(path))
    return _resolve(config, path.resolve().parent)


def check(config: Config, where: str) -> None:
    """Refuse values that only meaning can judge: time zones and regular expressions.

    Raises:
        ConfigError: naming ``where``, the key, the value and what to do.
    """
    try:
        ZoneInfo(config.source.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"{where}: source.zone = {config.source.zone!r} is not a time zone; "
            "use an IANA name such as 'Europe/Moscow'"
        ) from error
    kinds = [entry.kind for entry in config.source.metadata]
    if "vcon" in kinds and len(kinds) > 1:
        raise ConfigError(
            f'{where}: source.metadata has kind = "vcon" and {len(kinds) - 1} more; a source of '
            "vCons takes everything from them: remove the other entries"
        )
    patterns = [("source.leg_pattern", config.source.leg_pattern)]
    patterns += [
        (f"source.metadata[{index}].pattern", entry.pattern)
        for index, entry in enumerate(config.source.metadata)
    ]
    if config.source.screens is not None:
        patterns.append(("source.screens.pattern", config.source.screens.pattern))
    for key, pattern in patterns:
        if pattern is None:
            continue
        try:
            re.compile(pattern)
        except re.error as error:
            raise ConfigError(
                f"{where}: {key} = {pattern!r} is not a regular expression: {error}"
            ) from error


def digest(*sections: Section | str | None) -> str:
    """SHA-256 over settings, the same for equal settings whatever the file looked like."""
    encoded = msgspec.json.encode(sections, order="sorted")
    return hashlib.sha256(encoded).hexdigest()


def _explain(path: Path, text: str, message: str) -> str:
    """Turn msgspec's message into one that names the line and the nearest known key."""
    unknown = re.search(r"unknown field `(.+?)`", message)
    where = re.search(r"at `\$\.?(.*?)`", message)
    section = where.group(1) if where else ""
    key = unknown.group(1) if unknown else section.rsplit(".", 1)[-1]
    line = next(
        (
            number
            for number, content in enumerate(text.splitlines(), 1)
            if re.match(rf"\s*\[*\s*(?:[\w.]+\.)?{re.escape(key)}\b", content)
        ),
        None,
    )
    at = f"{path}:{line}" if line else f"{path}"
    if unknown is None:
        return f"{at}: {message}"
    near = difflib.get_close_matches(key, _known_keys(), n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; remove it or see `speechlytics init`"
    return f"{at}: unknown key {key!r} in [{section or 'top level'}]{hint}"


def _known_keys() -> list[str]:
    sections: list[type[Section]] = [Config, *_subclasses(Section)]
    return sorted({field.name for s in sections for field in msgspec.structs.fields(s)})


def _subclasses(base: type[Section]) -> list[type[Section]]:
    return [cls for cls in base.__subclasses__() if cls is not Config]


def _key_file(store: StoreConfig, folder: Path) -> str | None:
    """Made absolute; a bucket's is kept beside the pipeline file, never in the bucket."""
    if store.key_file is None and store.is_local:
        return None
    return str(folder / Path(store.key_file or f"{store.name}.key").expanduser())


def _resolve(config: Config, folder: Path) -> Config:
    """Make every path of a file absolute, so that the current folder no longer matters."""

    def absolute(value: str) -> str:
        return value if "://" in value else str(folder / Path(value).expanduser())

    def optional(value: str | None) -> str | None:
        return None if value is None else absolute(value)

    def replaced(section: Any, **changes: Any) -> Any:
        return msgspec.structs.replace(section, **changes)

    source = config.source
    return Config(
        source=replaced(
            source,
            path=absolute(source.path),
            metadata=tuple(replaced(entry, file=optional(entry.file)) for entry in source.metadata),
            screens=None
            if source.screens is None
            else replaced(source.screens, folder=absolute(source.screens.folder)),
        ),
        audio=config.audio,
        activity=config.activity,
        transcribe=config.transcribe,
        phrases=replaced(config.phrases, packs=tuple(absolute(p) for p in config.phrases.packs)),
        store=replaced(
            config.store,
            path=absolute(config.store.path),
            key_file=_key_file(config.store, folder),
            work=optional(config.store.work),
        ),
        run=config.run,
        export=tuple(replaced(entry, out=absolute(entry.out)) for entry in config.export),
    )
