"""Stored calls leave as vCons: one file a call."""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import quote

from speechlytics.buckets import open_url
from speechlytics.errors import ConfigError, StoreError
from speechlytics.store import Store, durable
from speechlytics.vcon import SoundFile, to_vcon

log = logging.getLogger("speechlytics.export")

CHILDREN = {"segments": "segment_id", "silences": "silence_id", "phrase_hits": "hit_id"}
# every call's reasons are wanted, not only those of unresolved ones
REASONS = """
SELECT call_id, reasons FROM unresolved(min_score := -1e9)
WHERE call_date BETWEEN $1 AND $2 AND (len($3::VARCHAR[]) = 0 OR list_contains($3, call_id))
"""
_UNSAFE = re.compile(r"[^\w.@+\-]")

Rows = list[dict[str, Any]]


def export_vcons(
    store: Store,
    folder: Path,
    *,
    call_ids: Sequence[str] = (),
    since: date | None = None,
    until: date | None = None,
    inline: bool = False,
) -> list[Path]:
    """Write a vCon per call into a folder; each file appears whole or not at all.

    Args:
        store: The store.
        folder: Where to; it is made.
        call_ids: Only these calls; all by default.
        since: First call date, included.
        until: Last call date, included.
        inline: Put the recording into the vCon instead of a reference with its hash.

    Raises:
        ConfigError: a call is not in the store.
        StoreError: there is no store, or a file cannot be written.
    """
    days = [d for d in store.days() if (since or d) <= d <= (until or d)]
    written: dict[str, Path] = {}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for call, document in _documents(store, days, call_ids, inline):
            path = folder / _file_name(call["call_id"])
            durable.write_file(path, json.dumps(document, ensure_ascii=False, indent=1).encode())
            written[call["call_id"]] = path
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written: {error}") from error
    finally:
        if written:
            alone = next(iter(written)) if len(written) == 1 else None
            store.note("export", call_id=alone, what="vcon", out=str(folder), calls=len(written))
    missing = [call_id for call_id in call_ids if call_id not in written]
    if missing:
        raise ConfigError(f"{store.place.root}: has no call {', '.join(map(repr, missing))}")
    return list(written.values())


def _documents(
    store: Store, days: Sequence[date], call_ids: Sequence[str], inline: bool
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    chosen = list(call_ids) or None
    reasons = _reasons(store, days, call_ids)
    for day in days:
        calls = store.read("calls", days=[day], call_ids=chosen).to_pylist()
        ids = [call["call_id"] for call in calls]
        segments, silences, hits = (_children(store, name, day, ids) for name in CHILDREN)
        for call in calls:
            call_id = call["call_id"]
            yield (
                call,
                to_vcon(
                    call,
                    segments[call_id],
                    silences[call_id],
                    hits[call_id],
                    reasons.get(call_id, []),
                    _sounds(call, inline),
                ),
            )


def _reasons(store: Store, days: Sequence[date], call_ids: Sequence[str]) -> dict[str, Rows]:
    if not days:
        return {}
    with store.connect() as connection:
        found = connection.execute(REASONS, [days[0], days[-1], list(call_ids)]).fetchall()
    return dict(found)


def _children(store: Store, table: str, day: date, call_ids: list[str]) -> dict[str, Rows]:
    grouped: dict[str, Rows] = defaultdict(list)
    for row in store.read(table, days=[day], call_ids=call_ids).to_pylist():
        grouped[row["call_id"]].append(row)
    for rows in grouped.values():
        rows.sort(key=lambda row: int(row[CHILDREN[table]]))
    return grouped


def _sounds(call: dict[str, Any], inline: bool) -> list[SoundFile]:
    uris = call["leg_uris"] or ([call["recording_uri"]] if call["recording_uri"] else [])
    return [_sound(uri, inline) for uri in uris]


def _sound(uri: str, inline: bool) -> SoundFile:
    url = uri if "://" in uri else f"file://{quote(uri)}"
    try:
        with open_url(uri if "://" in uri else Path(uri).absolute().as_uri()) as stream:
            if inline:
                content = stream.read()
                return SoundFile(url, hashlib.sha512(content).digest(), content)
            return SoundFile(url, hashlib.file_digest(stream, "sha512").digest())
    except Exception as error:  # every backend of fsspec raises its own kinds
        log.warning("%s: recording cannot be read, the vCon goes without it: %s", uri, error)
        return SoundFile(url, None)


def _file_name(call_id: str) -> str:
    """A name that the call's id makes, safe on every file system and never the same for two."""
    safe = _UNSAFE.sub("_", call_id).lstrip(".")[:150]
    if safe != call_id:
        safe += "-" + hashlib.sha256(call_id.encode()).hexdigest()[:8]
    return f"{safe}.vcon"
