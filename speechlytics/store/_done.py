"""What a store holds already, so that a run does only what is left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from speechlytics.records import CallStatus, StageSha256


@dataclass(frozen=True, slots=True)
class DoneCall:
    """What the store knows about a call, as far as resuming needs it."""

    status: CallStatus
    call_date: date
    audio_sha256: str | None
    recording_uri: str | None
    failed_stage: str | None
    stage_sha256: StageSha256


COLUMNS = [
    "call_id", "status", "call_date", "audio_sha256", "recording_uri", "failed_stage",
    "stage_sha256",
]  # fmt: skip


class DoneCalls(Mapping[str, DoneCall]):
    """``call_id`` → :class:`DoneCall`, kept as Arrow columns (about 200 bytes a call)."""

    def __init__(self, parts: Iterable[pa.Table], empty: pa.Table) -> None:
        self._rows = pa.concat_tables([empty, *parts]).combine_chunks()
        ids = self._rows.column("call_id").to_pylist()
        self._index = {call_id: row for row, call_id in enumerate(ids)}

    def __getitem__(self, call_id: str) -> DoneCall:
        row = self._index[call_id]
        values = {name: self._rows.column(name)[row].as_py() for name in COLUMNS[1:]}
        stages = values.pop("stage_sha256") or {}
        return DoneCall(**values, stage_sha256=StageSha256(**stages))

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)
