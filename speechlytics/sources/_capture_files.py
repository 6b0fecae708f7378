"""Files of a captures folder → captures by agent and by call id."""

from __future__ import annotations

import json
import os
import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from speechlytics.config import ScreensConfig
from speechlytics.errors import ConfigError
from speechlytics.records import Recording
from speechlytics.screens import (
    IMAGES,
    NAME_PATTERN,
    VIDEOS,
    agent_folder,
    agent_of,
    day_folder,
)
from speechlytics.sources._clock import instant
from speechlytics.sources._fields import milliseconds, text
from speechlytics.sources._listing import Found, Listing, list_files
from speechlytics.sources._screens import kind_of
from speechlytics.sources._shots import Shot, lanes_of, start_of, unix_ms

_SIDECAR_BYTES = 65_536
_FOLDERS_KEPT = 256

_Grouped = tuple[Mapping[str, Sequence[Shot]], Mapping[str, Sequence[Shot]]]


class Names:
    """File name or sidecar → whose capture, and of when."""

    def __init__(self, config: ScreensConfig, zone: ZoneInfo) -> None:
        self._own = config.pattern is None
        self._pattern = re.compile(config.pattern or NAME_PATTERN)
        self._zone, self._utc = zone, config.utc
        if not {"agent_id", "call_id"} & set(self._pattern.groupindex):
            raise ConfigError(
                f"source.screens.pattern = {config.pattern!r} needs a named group agent_id or "
                r"call_id, such as (?P<agent_id>\w+)/(?P<time>[\d-]+)\.png"
            )

    def read(self, found: Found, listing: Listing) -> tuple[str | None, str | None, Shot] | None:
        """Agent, call id and capture; ``None`` if this is none, or nothing tells its time."""
        kind = kind_of(found.name)
        if kind is None:
            return None
        match = self._pattern.search(found.name)
        told: dict[str, object] = dict(match.groupdict()) if match else {}
        if told.get("time") is None:
            told = {**_sidecar(found, listing), **{k: v for k, v in told.items() if v is not None}}
        try:
            found.uri.encode()  # a name that is not UTF-8 could not be stored
            start = instant(told["time"], self._zone, utc=self._utc)
            length_ms = None
            if told.get("duration_ms") is not None:
                length_ms = milliseconds(told["duration_ms"])
            agent, call = told.get("agent_id"), told.get("call_id")
            shot = Shot(
                found.uri,
                kind,
                unix_ms(start),
                lane=str(told.get("monitor") or ""),
                length_ms=length_ms,
                marked=self._own and match is not None,
            )
            agent = text(agent) if agent is not None else None
            call = text(call) if call is not None else None
        except (KeyError, ValueError):
            return None
        return (agent_of(agent) if agent and self._own and match else agent), call, shot


def _sidecar(found: Found, listing: Listing) -> dict[str, object]:
    """What NAME.json beside a capture says, under the names of the pattern's groups."""
    uri = found.uri.rpartition(".")[0] + ".json"
    try:
        content = listing.read(uri, _SIDECAR_BYTES)
        told = json.loads(content) if content else None
    except (OSError, ValueError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {**told, "time": told["started_at"]} if "started_at" in told else {}


class ByDay:
    """The recorder's own folders, ``AGENT/2026-11-22``, listed only for days with calls.

    Captures with such names directly in ``AGENT`` or in the folder itself are found too.
    """

    def __init__(self, folder: Path, names: Names) -> None:
        self._folder, self._names = folder, names
        self._listed = lru_cache(maxsize=_FOLDERS_KEPT)(self._list)

    def shots(self, recording: Recording, first: datetime, last: datetime) -> Iterable[Shot]:
        """Captures that may belong to a call, at least those from ``first`` to ``last``."""
        agents, calls = self._listed(self._folder)
        found = [*calls.get(recording.call_id, ())]
        agent = recording.agent_id
        if agent is None:
            return found
        folder = self._folder / agent_folder(agent)
        days = {day_folder(first + timedelta(days=n)) for n in range((last - first).days + 1)}
        folders = [folder, *(folder / day for day in sorted(days | {day_folder(last)}))]
        found += agents.get(agent, ())
        for each in folders:
            found += self._listed(each)[0].get(agent, ())
        return found

    def _list(self, folder: Path) -> _Grouped:
        try:
            with os.scandir(folder) as entries:
                names = sorted(
                    entry.name for entry in entries if entry.is_file(follow_symlinks=False)
                )
        except OSError:
            return {}, {}
        files = [Found(str(folder / name), name) for name in names if not name.startswith(".")]
        return _grouped(files, Listing(folder), self._names)


class Whole:
    """Any other layout: everything listed once."""

    def __init__(self, folder: str, names: Names) -> None:
        listing = list_files(folder, tuple(IMAGES | VIDEOS), key="source.screens.folder")
        agents, self._calls = _grouped(listing.found, listing, names)
        self._agents = {agent: lanes_of(shots) for agent, shots in agents.items()}

    def shots(self, recording: Recording, first: datetime, last: datetime) -> Iterable[Shot]:
        """Captures that may belong to a call, at least those from ``first`` to ``last``."""
        low, high = unix_ms(first), unix_ms(last)
        found = [*self._calls.get(recording.call_id, ())]
        for lane in self._agents.get(recording.agent_id or "", ()):
            # and the next one, which says how long the last lasted
            end = bisect_right(lane, high, key=start_of) + 1
            found += lane[bisect_left(lane, low, key=start_of) : end]
        return found


def _grouped(files: Iterable[Found], listing: Listing, names: Names) -> _Grouped:
    """Captures by agent and by call id, each sorted by time; one with a call id is that call's."""
    agents: dict[str, list[Shot]] = defaultdict(list)
    calls: dict[str, list[Shot]] = defaultdict(list)
    for file in files:
        told = names.read(file, listing)
        if told is None:
            continue
        agent, call, shot = told
        if call:
            calls[call].append(shot)
        elif agent:
            agents[agent].append(shot)
    for shots in (*agents.values(), *calls.values()):
        shots.sort(key=start_of)
    return dict(agents), dict(calls)
