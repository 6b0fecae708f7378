"""The places that know something about recordings, each asked for one call at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Protocol

from speechlytics.config import MetadataSource
from speechlytics.errors import ConfigError
from speechlytics.sources import _asterisk
from speechlytics.sources._fields import Entry, check_columns, split
from speechlytics.sources._listing import Listing
from speechlytics.sources._rows import cdr_entries, manifest_entries
from speechlytics.sources._units import Unit

_SIDECAR_LIMIT_BYTES = 16 << 20


class Place(Protocol):
    """One place that knows something about recordings."""

    def find(self, unit: Unit) -> list[Entry]:
        """What it knows about the call."""

    def unused(self) -> Iterator[Entry]:
        """Entries that no call has asked for."""


def open_place(config: MetadataSource, where: str, listing: Listing) -> Place:
    """Open one place.

    Args:
        config: Its settings.
        where: Its key in the pipeline file, for messages.
        listing: The files beside which sidecars lie.

    Raises:
        ConfigError: a setting is missing, or a mapped column is not there.
        SourceError: its file cannot be read.
    """
    check_columns(config.columns, where)
    if config.kind == "sidecar":
        return _Sidecars(config, listing)
    if config.kind == "filename":
        return _FileNames(config, where)
    if config.file is None:
        raise ConfigError(f'{where}.file is missing; kind = "{config.kind}" reads a file')
    if config.kind == "asterisk_cdr":
        return _Table(cdr_entries(config, config.file, where), config.unrecorded_calls)
    return _Table(manifest_entries(config, config.file, where), config.unrecorded_calls)


class _Sidecars:
    """NAME.json or NAME.wav.json beside NAME.wav; for legs also CALL_ID.json."""

    def __init__(self, config: MetadataSource, listing: Listing) -> None:
        self._config = config
        self._listing = listing

    def find(self, unit: Unit) -> list[Entry]:
        entries = []
        for uri in self._candidates(unit):
            try:
                content = self._listing.read(uri, _SIDECAR_LIMIT_BYTES)
            except OSError as error:
                problem = f"{uri}: sidecar cannot be read ({error.strerror or error})"
                entries.append(Entry(uri, problem=problem))
                continue
            if content is not None:
                entries.append(self._entry(uri, content))
        return entries

    def unused(self) -> Iterator[Entry]:
        return iter(())

    def _candidates(self, unit: Unit) -> list[str]:
        names: dict[str, None] = {}
        for file in unit.files:
            folder, _, name = file.uri.rpartition("/")
            names[f"{folder}/{PurePosixPath(name).stem}.json"] = None
            names[f"{file.uri}.json"] = None
            if len(unit.files) > 1 or unit.legs is not None:
                names[f"{folder}/{PurePosixPath(unit.default_id).name}.json"] = None
        return list(names)

    def _entry(self, uri: str, content: bytes) -> Entry:
        try:
            values = json.loads(content.decode("utf-8-sig"))
        except json.JSONDecodeError as error:
            where = f"{uri}:{error.lineno}"
            return Entry(where, problem=f"{where}: malformed JSON ({error.msg}); correct the file")
        except (ValueError, RecursionError) as error:
            return Entry(uri, problem=f"{uri}: malformed JSON ({error}); correct the file")
        if not isinstance(values, dict):
            return Entry(uri, problem=f"{uri}: malformed JSON (not an object); correct the file")
        known, columns, extra = split(values, self._config.columns)
        return Entry(uri, known, columns, extra, utc=self._config.utc)


class _FileNames:
    """Named groups of a regular expression over the path inside the source."""

    def __init__(self, config: MetadataSource, where: str) -> None:
        if config.pattern is None:
            raise ConfigError(
                f"{where}.pattern is missing; give a regular expression with named groups, or "
                f"one of {', '.join(_asterisk.SHIPPED_PATTERNS)}"
            )
        self._patterns = _asterisk.SHIPPED_PATTERNS.get(config.pattern)
        if self._patterns is None:
            self._patterns = ((re.compile(config.pattern), None),)
            if not self._patterns[0][0].groupindex:
                raise ConfigError(
                    f"{where}.pattern = {config.pattern!r} has no named groups such as "
                    f"(?P<agent_id>…), and is none of {', '.join(_asterisk.SHIPPED_PATTERNS)}"
                )
        self._config = config

    def find(self, unit: Unit) -> list[Entry]:
        assert self._patterns is not None
        name = unit.files[0].name
        for pattern, direction in self._patterns:
            match = pattern.search(name)
            if match is not None:
                return [self._entry(unit, match.groupdict(), direction)]
        return []

    def unused(self) -> Iterator[Entry]:
        return iter(())

    def _entry(self, unit: Unit, groups: dict[str, str | None], direction: str | None) -> Entry:
        row: dict[str, object] = {name: value for name, value in groups.items() if value}
        day, time = row.pop("date", None), row.pop("time", None)
        if day is not None and "started_at" not in row:
            row["started_at"] = _joined(str(day), str(time)) if time else day
        if direction is not None:
            row["direction"] = direction
        known, columns, extra = split(row, self._config.columns)
        return Entry(unit.files[0].uri, known, columns, extra, utc=self._config.utc)


class _Table:
    """A file with a row per call, indexed by the names that a recording may be known under."""

    def __init__(self, entries: Sequence[Entry], unrecorded_calls: bool) -> None:
        self._entries = entries
        self._unrecorded_calls = unrecorded_calls
        self._used = bytearray(len(entries))
        self._index: dict[str, list[int]] = {}
        names: dict[str, list[int]] = {}
        for number, entry in enumerate(entries):
            for key in entry.keys:
                self._index.setdefault(key, []).append(number)
                names.setdefault(PurePosixPath(key).name, []).append(number)
        # A bare name finds a row that gives another folder, unless two rows share the name.
        for name, numbers in names.items():
            if len({entries[number].keys for number in numbers}) == 1:
                self._index.setdefault(name, numbers)

    def find(self, unit: Unit) -> list[Entry]:
        for key in unit.aliases():
            numbers = self._index.get(key)
            if numbers:
                for number in numbers:
                    self._used[number] = 1
                return [self._entries[number] for number in numbers]
        return []

    def unused(self) -> Iterator[Entry]:
        for entry, used in zip(self._entries, self._used, strict=True):
            if not used and (self._unrecorded_calls or entry.problem):
                yield entry


def _joined(day: str, time: str) -> str:
    """``20261122`` or ``2026-11-22`` with ``09-30-00`` or ``0930`` as one time."""
    digits = re.sub(r"\D", "", day)
    if len(digits) != 8 or not digits.startswith(("19", "20")):
        return f"{day} {time}"
    return digits + re.sub(r"\D", "", time).ljust(6, "0")
