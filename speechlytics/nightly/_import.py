"""Conversations and verdicts from elsewhere enter the store without audio."""

from __future__ import annotations

import csv
import hashlib
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from speechlytics.analyze import with_phrases
from speechlytics.config import PhrasesConfig
from speechlytics.errors import ImportRefused
from speechlytics.nightly._rescore import phrases_sha256
from speechlytics.phrases import Matcher, PackSet
from speechlytics.records import CallAnalysis, Role, StageSha256
from speechlytics.sources import customer_key, load_or_create_key
from speechlytics.store import Store
from speechlytics.transcripts import ImportedCall, read_transcripts, to_analysis

BATCH_CALLS = 500
FORGOTTEN = "is not taken in again: this call or its customer was forgotten on"


@dataclass(slots=True)
class Taken:
    """How an import went: what came in, and every refusal with its reason."""

    taken: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """How transcripts are to be understood.

    Attributes:
        zone: IANA zone of the contact centre.
        region: Country of numbers without a country code.
        speakers: Role by speaker label.
        text_key: Field of a JSON turn that holds its words.
    """

    zone: str = "Europe/Moscow"
    region: str = "RU"
    speakers: Mapping[str, Role] = field(default_factory=dict)
    text_key: str = "text"


def import_transcripts(
    store: Store,
    files: Iterable[Path],
    packs: PackSet,
    reading: Reading,
    *,
    key_file: Path,
    config: PhrasesConfig | None = None,
) -> Taken:
    """Take in conversations; phrases, context and views as for any call.

    A conversation that cannot be taken is refused with file, line and reason; the others come
    in. Importing a call again replaces it.

    Raises:
        StoreLocked: a run is at work on this store.
    """
    key = load_or_create_key(key_file)
    phrases = config or PhrasesConfig()
    matcher = Matcher(packs, phrases)
    stages = StageSha256(phrases=phrases_sha256(packs, phrases))
    taken = Taken()
    forgotten = store.forgotten()

    def analyses() -> Iterator[CallAnalysis]:
        for call in _read(files, reading, taken):
            try:
                analysis = to_analysis(
                    call,
                    zone=reading.zone,
                    customer_key=lambda value: customer_key(value, key, reading.region),
                )
            except (ValueError, TypeError) as error:
                taken.refused.append(f"{call.where}: {error}")
                continue
            if when := forgotten.of(analysis.recording):
                taken.refused.append(f"{call.where}: {FORGOTTEN} {when[:10]}")
                continue
            yield with_phrases(replace(analysis, stage_sha256=stages), matcher)

    run_id = f"import-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    with store.writer(run_id) as writer:
        batch: list[CallAnalysis] = []
        seen: set[str] = set()
        for analysis in analyses():
            call_id = analysis.recording.call_id
            if call_id in seen:
                taken.refused.append(f"{call_id}: a call of this id came before in this import")
                continue
            seen.add(call_id)
            batch.append(analysis)
            taken.taken += 1
            if len(batch) >= BATCH_CALLS:
                writer.add(batch)
                batch = []
        writer.add(batch)
        writer.publish()
        store.replace_rules([{**row, "run_id": run_id} for row in packs.rules_table()])
        writer.tidy()
    return taken


def _read(files: Iterable[Path], reading: Reading, taken: Taken) -> Iterator[ImportedCall]:
    for path in files:
        try:
            for call in read_transcripts(
                path, speakers=dict(reading.speakers), text_key=reading.text_key
            ):
                if isinstance(call, ImportRefused):
                    taken.refused.append(str(call))
                else:
                    yield call
        except ImportRefused as error:
            taken.refused.append(str(error))


class _Review(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One verdict as a file states it."""

    call_id: str
    verdict: Literal["resolved", "unresolved", "unclear"]
    reviewer: str | None = None
    reason: str | None = None
    note: str | None = None
    sample_kind: Literal["targeted", "random"] = "targeted"
    reviewed_at: datetime | None = None
    review_id: str | None = None


def import_reviews(store: Store, files: Iterable[Path]) -> Taken:
    """Take in QA verdicts from CSV (with a header) or JSON lines.

    Columns: ``call_id``, ``verdict`` (resolved, unresolved, unclear), and optionally
    ``reviewer``, ``reason``, ``note``, ``sample_kind`` (targeted, random), ``reviewed_at``,
    ``review_id``. Without an id the same verdict read twice counts once.
    """
    taken = Taken()
    forgotten = store.forgotten()
    rows = []
    run_id = f"import-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    for path in files:
        for line, row in _rows(path, taken):
            try:
                review = msgspec.convert(_given(row), _Review, strict=False)
            except msgspec.ValidationError as error:
                taken.refused.append(f"{path}:{line}: {error}")
                continue
            if when := forgotten.call(review.call_id):
                taken.refused.append(f"{path}:{line}: {FORGOTTEN} {when[:10]}")
                continue
            rows.append(_review_row(review, run_id))
            taken.taken += 1
    if rows:
        store.append_reviews(rows)
    return taken


def _rows(path: Path, taken: Taken) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        taken.refused.append(f"{path}: cannot be read: {error}")
        return
    if path.suffix == ".csv":
        reader = csv.DictReader(text.splitlines())
        for row in reader:
            yield reader.line_num, row
        return
    for line, content in enumerate(text.splitlines(), 1):
        if not content.strip():
            continue
        try:
            row = json.loads(content)
        except json.JSONDecodeError as error:
            taken.refused.append(f"{path}:{line}: not JSON: {error}")
            continue
        if isinstance(row, dict):
            yield line, row
        else:
            taken.refused.append(f"{path}:{line}: not a JSON object")


def _given(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key is not None and value not in ("", None)}


def _review_row(review: _Review, run_id: str) -> dict[str, Any]:
    said = (review.call_id, review.reviewer, review.verdict, review.reason, review.note)
    when = review.reviewed_at
    fingerprint = hashlib.sha256(repr((*said, when)).encode()).hexdigest()[:32]
    instant = when if when is None or when.tzinfo else when.replace(tzinfo=UTC)
    return {
        **{f: getattr(review, f) for f in ("call_id", "reviewer", "verdict", "reason", "note")},
        "sample_kind": review.sample_kind,
        "review_id": review.review_id or fingerprint,
        "reviewed_at": instant or datetime.now(UTC),
        "run_id": run_id,
    }


def parse_speakers(pairs: Sequence[str]) -> dict[str, Role]:
    """``["SPEAKER_00=agent", …]`` → role by label.

    Raises:
        ImportRefused: a pair is not ``LABEL=ROLE`` with a known role.
    """
    roles: dict[str, Role] = {}
    for pair in pairs:
        label, _, role = pair.rpartition("=")
        match role:
            case "agent" | "customer" | "ivr" | "unknown" if label:
                roles[label] = role
            case _:
                raise ImportRefused(
                    f"--speaker {pair!r}: write LABEL=ROLE with role agent, customer, ivr, unknown"
                )
    return roles
