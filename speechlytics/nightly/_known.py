"""What the store holds already, looked up call by call from Arrow columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

from speechlytics.nightly._plan import METADATA, Known
from speechlytics.records import StageSha256
from speechlytics.store import Store

COLUMNS = (
    "call_id",
    "call_date",
    "status",
    "failed_stage",
    "audio_size_bytes",
    "audio_modified_at",
    "duration_ms",
    "stage_sha256",
    *METADATA,
)


class KnownCalls(Mapping[str, Known]):
    """``call_id`` → :class:`Known`; kept as Arrow, so that a million calls stay small."""

    def __init__(self, store: Store, days: Iterable[date] | None = None) -> None:
        rows = store.read("calls", days=days, columns=COLUMNS) if store.exists() else None
        self._columns = {} if rows is None else {n: rows.column(n) for n in COLUMNS}
        ids = [] if rows is None else rows.column("call_id").to_pylist()
        self._index = {call_id: row for row, call_id in enumerate(ids)}

    def __getitem__(self, call_id: str) -> Known:
        row = self._index[call_id]
        values = {name: column[row].as_py() for name, column in self._columns.items()}
        return Known(
            status=values["status"],
            failed_stage=values["failed_stage"],
            audio_size_bytes=values["audio_size_bytes"],
            audio_modified_at=values["audio_modified_at"],
            stage_sha256=StageSha256(**(values["stage_sha256"] or {})),
            call_date=values["call_date"],
            metadata={name: values[name] for name in METADATA},
            duration_ms=values["duration_ms"],
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
