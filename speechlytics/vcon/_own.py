"""What speechlytics adds to its own vCons, so that they come back as they left.

Beside the transcript (of a shape that others read) an analysis of type ``call`` holds the row of
``calls`` and the silences, and one of type ``findings`` the phrase hits and the reasons why the
call counts as unresolved. Findings are for readers: an import works them out again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from speechlytics.errors import ImportRefused
from speechlytics.schema import CALLS, SEGMENTS, SILENCES, WORDS

VENDOR = "speechlytics"
CALL_SCHEMA = "speechlytics-call-1"
TRANSCRIPT_SCHEMA = "speechlytics-segments-1"
FINDINGS_SCHEMA = "speechlytics-findings-1"
# What belongs to the store and its files, not to the call; it is new at every import.
NOT_TOLD = frozenset(
    {"run_id", "recording_uri", "leg_uris", "audio_size_bytes", "audio_modified_at"}
)
_TOLD_BY_PARENT = frozenset({"call_id", "call_date", "run_id"})


@dataclass(frozen=True, slots=True)
class StoredCall:
    """A call as a store had it: rows of ``calls``, ``segments`` and ``silences``."""

    call: Mapping[str, Any]
    segments: pa.Table
    silences: pa.Table


def plain(row: Mapping[str, Any], leave_out: frozenset[str] = _TOLD_BY_PARENT) -> dict[str, Any]:
    """A row as JSON holds it; what is NULL is left out."""
    return {
        name: _plain_value(value)
        for name, value in row.items()
        if value is not None and name not in leave_out
    }


def _plain_value(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value


def segment_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A segment in the shape of Whisper's tools (seconds), with our own columns beside it."""
    words = [
        {"word": w["word"], **_seconds(w), "probability": w["probability"]} for w in row["words"]
    ]
    own = plain({k: v for k, v in row.items() if k not in ("words", "start_ms", "end_ms", "role")})
    return {**_seconds(row), "speaker": row["role"], **own, "words": words}


def _seconds(row: Mapping[str, Any]) -> dict[str, float]:
    return {"start": row["start_ms"] / 1000, "end": row["end_ms"] / 1000}


def restored(
    call: Mapping[str, Any], segments: Sequence[Any], silences: Sequence[Any], at: str
) -> StoredCall:
    """Rows from JSON, with the types of the tables.

    Raises:
        ImportRefused: something is missing or of another type.
    """
    try:
        values = {**call, "run_id": "import"}
        for field in CALLS:
            if pa.types.is_temporal(field.type) and isinstance(values.get(field.name), str):
                values[field.name] = _moment(values[field.name], field.type)
        unknown = values.keys() - set(CALLS.names)
        table = pa.Table.from_pylist([values], schema=CALLS)
        row = table.to_pylist()[0]
        missing = [f.name for f in CALLS if not f.nullable and row[f.name] is None]
        missing += [name for name in ("started_at", "started_local") if row[name] is None]
        if missing or unknown:
            raise ImportRefused(f"{at}: missing {missing}, unknown {sorted(unknown)}")
        parent = {"call_id": row["call_id"], "call_date": row["call_date"], "run_id": "import"}
        return StoredCall(
            row,
            pa.Table.from_pylist([parent | _segment(s) for s in segments], schema=SEGMENTS),
            pa.Table.from_pylist([parent | dict(s) for s in silences], schema=SILENCES),
        )
    except (pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ImportRefused(f"{at}: is not what speechlytics writes: {error!r}") from error


def _moment(text: str, type_: pa.DataType) -> date | datetime:
    if pa.types.is_date(type_):
        return date.fromisoformat(text)
    return datetime.fromisoformat(text)


def _segment(raw: Mapping[str, Any]) -> dict[str, Any]:
    words = [
        {f.name: w.get(f.name) for f in WORDS.value_type} | _milliseconds(w)
        for w in raw.get("words") or []
    ]
    own = {key: value for key, value in raw.items() if key in SEGMENTS.names}
    return own | _milliseconds(raw) | {"role": raw["speaker"], "words": words}


def _milliseconds(raw: Mapping[str, Any]) -> dict[str, int]:
    return {"start_ms": round(raw["start"] * 1000), "end_ms": round(raw["end"] * 1000)}
