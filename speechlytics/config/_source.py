"""Section ``[source]``: recordings, and what is known about them."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from speechlytics.config._section import Section

# as in speechlytics.records, which is not imported here: it brings numpy along
Role = Literal["agent", "customer", "ivr", "unknown"]


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
    columns: dict[str, str] = msgspec.field(default_factory=dict)
    pattern: str | None = None
    utc: bool = False
    delimiter: str | None = None
    unrecorded_calls: bool = True
    fetch: bool = False
    speakers: dict[str, Role] = msgspec.field(default_factory=dict)


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
    roles: tuple[Role, ...] = ("agent", "customer")
    suffixes: tuple[str, ...] = (
        ".wav", ".wav49", ".gsm", ".mp3", ".ogg", ".opus", ".oga", ".flac", ".m4a", ".mp4",
        ".aac", ".amr", ".awb", ".wma", ".webm", ".g722", ".ulaw", ".alaw", ".ul", ".al", ".spx",
    )  # fmt: skip
    leg_pattern: str | None = None
    legs: tuple[str, ...] = ()
    metadata: tuple[MetadataSource, ...] = ()
    screens: ScreensConfig | None = None
