"""Source → recordings, in the order of their file names."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

from speechlytics.config import SourceConfig
from speechlytics.errors import AudioError
from speechlytics.records import Recording
from speechlytics.sources._fields import Entry
from speechlytics.sources._listing import Listing, Stored, list_files
from speechlytics.sources._merge import Context, Merged, recording, row_id
from speechlytics.sources._metadata import Place, open_place
from speechlytics.sources._units import Unit, units

_MOST_NAMED = 5


def discover(config: SourceConfig, *, key: bytes) -> Iterator[Recording]:
    """Describe every call of a source.

    Files are listed and manifests read at once; sidecars, file times and everything per call
    only as the iterator gets there. Calls without a recording come last.

    Args:
        config: The source.
        key: Key of the customer pseudonyms (``load_or_create_key``).

    Raises:
        SourceError: the source or a manifest cannot be read.
        ConfigError: the metadata settings do not fit the files.
    """
    listing = list_files(config.path, config.suffixes)
    _leave_out_captures(listing, config)
    places = [
        open_place(entry, f"source.metadata[{index}]", listing)
        for index, entry in enumerate(config.metadata)
    ]
    context = Context(config, ZoneInfo(config.zone), key, listing.root)
    return _Discovery(listing, places, context).recordings()


def _leave_out_captures(listing: Listing, config: SourceConfig) -> None:
    """A screen video in a folder of captures below the source is no recording of a call."""
    if config.screens is None or listing.root is None:
        return
    folder = Path(config.screens.folder).absolute()
    if folder != listing.root and folder.is_relative_to(listing.root):
        captures = f"{folder}{os.sep}"
        listing.found = [file for file in listing.found if not file.uri.startswith(captures)]


class _Discovery:
    def __init__(self, listing: Listing, places: Sequence[Place], context: Context) -> None:
        self._listing = listing
        self._places = places
        self._context = context

    def recordings(self) -> Iterator[Recording]:
        found = units(self._listing.found, self._context.config)
        # Ids first: of two files with one id neither may have gone out before both are known.
        groups: dict[str, list[int]] = {}
        for number, unit in enumerate(found):
            groups.setdefault(self._call_id(unit), []).append(number)
        for call_id, numbers in groups.items():
            yield self._recorded(call_id, [found[number] for number in numbers])
        yield from self._unrecorded(set(groups))
        for number, error in enumerate(self._listing.errors, 1):
            yield self._nameless(f"unreadable-folder-{number}", error)

    def _entries(self, unit: Unit) -> list[Entry]:
        return [entry for place in self._places for entry in place.find(unit)]

    def _call_id(self, unit: Unit) -> str:
        return Merged(self._entries(unit), self._context).call_id(unit.default_id)

    def _recorded(self, call_id: str, same: Sequence[Unit]) -> Recording:
        unit = same[0]
        problem = unit.problem
        if problem is None and len(same) > 1:
            problem = _difference(call_id, same)
        found = recording(
            unit,
            call_id,
            self._entries(unit),
            self._context,
            self._listing.stored(unit.files),
            problem,
        )
        return _storable(found)

    def _unrecorded(self, recorded: set[str]) -> Iterator[Recording]:
        groups: dict[str, list[Entry]] = {}
        for place in self._places:
            for entry in place.unused():
                default = entry.fallback_id or row_id(entry, self._context.key)
                call_id = Merged([entry], self._context).call_id(default)
                if call_id not in recorded or entry.problem:
                    groups.setdefault(call_id, []).append(entry)
        for call_id, entries in groups.items():
            yield _storable(recording(None, call_id, entries, self._context, Stored()))

    def _nameless(self, call_id: str, problem: str) -> Recording:
        return recording(None, call_id, [], self._context, Stored(), problem)


def _difference(call_id: str, same: Sequence[Unit]) -> str | None:
    """Why several recordings of one id are not one call; ``None`` if they are copies."""
    from speechlytics.audio import fingerprint

    uris = [unit.files[0].uri for unit in same]
    named = ", ".join(uris[:_MOST_NAMED]) + (" …" if len(uris) > _MOST_NAMED else "")
    try:
        prints = {fingerprint([file.uri for file in unit.files]) for unit in same}
    except AudioError as error:
        return f"call id {call_id!r} stands for several files: {named} ({error})"
    if len(prints) == 1:
        return None
    return (
        f"call id {call_id!r} stands for different recordings: {named}; give each its own id in "
        "its metadata or by a file name pattern, or remove one"
    )


def _storable(found: Recording) -> Recording:
    """A file name that is not UTF-8 cannot be stored: the call fails, and says which file."""
    problem = found.problem
    if any(_printable(uri) != uri for uri in found.uris):
        shown = ", ".join(_printable(uri) for uri in found.uris)
        problem = problem or f"{shown}: file name is not UTF-8; rename the file"
        found = replace(found, uris=(), screens=())
    return found if problem is None else replace(found, problem=_printable(problem))


def _printable(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()
