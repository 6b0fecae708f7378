"""``import vcon``: the calls of some vCon files enter the store."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from speechlytics.config import Config
from speechlytics.nightly._import import BATCH_CALLS, Taken
from speechlytics.nightly._night import MakeRunner, local_runner
from speechlytics.nightly._vcon_calls import VconCalls, VconReading
from speechlytics.records import CallAnalysis
from speechlytics.store import Store


def import_vcons(
    config: Config,
    files: Iterable[Path],
    reading: VconReading | None = None,
    *,
    make_runner: MakeRunner | None = None,
) -> Taken:
    """Take in the calls of vCons. Importing a call again replaces it.

    A call that cannot be taken is refused with file, JSON path and reason; the others come in.
    One whose recording cannot be decoded is stored as ``failed`` and named as well.

    Args:
        config: Store, zone, region, packs, model; its source is not read.
        files: vCon files.
        reading: How to understand them.
        make_runner: Another runner than this machine's processes.

    Raises:
        StoreLocked: a run is at work on this store.
    """
    run_id = f"import-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid.uuid4().hex[:6]}"
    store = Store.configured(config.store)
    taken = Taken()
    with store.writer(run_id) as writer:
        calls = VconCalls(
            config, store, reading or VconReading(), make_runner=make_runner or local_runner
        )
        batch: list[CallAnalysis] = []
        with contextlib.closing(calls.analyses(files)) as found:
            for analysis in found:
                taken.taken += analysis.failure is None
                batch.append(analysis)
                if len(batch) >= BATCH_CALLS:
                    writer.add(batch)
                    batch = []
        writer.add(batch)
        writer.publish()
        store.replace_rules([{**row, "run_id": run_id} for row in calls.packs.rules_table()])
        writer.tidy()
    taken.refused += [refusal.why for refusal in calls.refused]
    return taken
