"""A whole pipeline file: its sections, how it is read, and how a mistake in it is told."""

from __future__ import annotations

import difflib
import hashlib
import re
import tomllib
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from speechlytics.config._job import ExportConfig, RunConfig, StoreConfig
from speechlytics.config._section import Section, replace
from speechlytics.config._source import SourceConfig
from speechlytics.config._stages import (
    ActivityConfig,
    AudioConfig,
    PhrasesConfig,
    TranscribeConfig,
)
from speechlytics.errors import ConfigError


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

    source = config.source
    return Config(
        source=replace(
            source,
            path=absolute(source.path),
            metadata=tuple(replace(entry, file=optional(entry.file)) for entry in source.metadata),
            screens=None
            if source.screens is None
            else replace(source.screens, folder=absolute(source.screens.folder)),
        ),
        audio=config.audio,
        activity=config.activity,
        transcribe=config.transcribe,
        phrases=replace(config.phrases, packs=tuple(absolute(p) for p in config.phrases.packs)),
        store=replace(
            config.store,
            path=absolute(config.store.path),
            key_file=_key_file(config.store, folder),
            work=optional(config.store.work),
        ),
        run=config.run,
        export=tuple(replace(entry, out=absolute(entry.out)) for entry in config.export),
    )
