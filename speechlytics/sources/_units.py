"""Files → calls: one file each, or one file per leg joined."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from speechlytics.config import SourceConfig
from speechlytics.errors import ConfigError
from speechlytics.sources._asterisk import UNIQUEID
from speechlytics.sources._listing import Found


@dataclass(frozen=True, slots=True)
class Unit:
    """The files of one call.

    Attributes:
        files: One, or one per leg in channel order.
        default_id: Call id if no metadata gives one, not yet made safe.
        legs: Index of each leg in ``source.legs`` where some are missing, else ``None``.
        problem: Why the files do not make a call.
    """

    files: tuple[Found, ...]
    default_id: str
    legs: tuple[int, ...] | None = None
    problem: str | None = None

    def aliases(self) -> list[str]:
        """Names under which metadata may know this call, most telling first."""
        found: dict[str, None] = {}
        for file in self.files:
            found[file.uri] = None
            tail = file.name
            while tail:
                found[tail] = None
                found[tail.rpartition(".")[0] or tail] = None
                tail = tail.partition("/")[2]
            found.update(dict.fromkeys(UNIQUEID.findall(file.stem)))
        found[self.default_id] = None
        return list(found)


def units(found: Iterable[Found], config: SourceConfig) -> list[Unit]:
    """Calls in the order of their first file.

    Raises:
        ConfigError: ``source.leg_pattern`` lacks one of its two groups.
    """
    if config.leg_pattern is None:
        return [Unit((file,), file.stem) for file in found]
    pattern = re.compile(config.leg_pattern)
    if not {"call_id", "leg"} <= set(pattern.groupindex):
        raise ConfigError(
            f"source.leg_pattern = {config.leg_pattern!r} needs the named groups call_id and leg, "
            r"such as (?P<call_id>.+)-(?P<leg>rx|tx)\.wav"
        )
    result: list[Unit] = []
    joined: dict[str, list[tuple[str, Found]]] = {}
    for file in found:
        match = pattern.search(file.name)
        if match is None:
            result.append(Unit((file,), file.stem))
        else:
            joined.setdefault(match["call_id"] or file.stem, []).append((match["leg"] or "", file))
    result += [_join(call_id, legs, config.legs) for call_id, legs in joined.items()]
    return sorted(result, key=lambda unit: unit.files[0].name)


def _join(call_id: str, legs: list[tuple[str, Found]], order: tuple[str, ...]) -> Unit:
    names = [name for name, _ in legs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        uris = ", ".join(file.uri for name, file in legs if name == twice)
        return Unit((legs[0][1],), call_id, problem=f"leg {twice!r} is there twice: {uris}")
    if not order:
        return Unit(tuple(file for _, file in sorted(legs, key=lambda leg: leg[0])), call_id)
    # A mix that lies beside its legs is none of them.
    known = sorted((order.index(name), file) for name, file in legs if name in order)
    if not known:
        problem = f"{legs[0][1].uri}: leg {names[0]!r} is not in source.legs = {list(order)}"
        return Unit((legs[0][1],), call_id, problem=problem)
    indices = tuple(index for index, _ in known)
    return Unit(
        tuple(file for _, file in known),
        call_id,
        legs=None if len(indices) == len(order) else indices,
    )
