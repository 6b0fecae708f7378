"""The right to write to a bucket, held by one machine at a time.

A file lock ends at the machine's border. In the bucket the right is the newest commit of an empty
Delta table, ``_lease``, whose metadata say who holds it, and until when. A commit is a
compare-and-swap: the log entry of a version can be created only once (``If-None-Match: *`` on
S3), and one made from an older version is refused. The holder renews it while it lives; what a
dead machine held runs out after :data:`TERM_S`. Clocks may differ by minutes, not more.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from speechlytics.errors import StoreError, StoreLocked
from speechlytics.store.durable import Place

log = logging.getLogger("speechlytics.store")

TABLE = "_lease"
TERM_S = 900.0
"""How long the right lasts without being renewed."""
RENEWALS = 5
"""Renewals in a term: some may fail before another machine takes over."""
_NOTHING = pa.schema([("nothing", pa.int64())])


@contextlib.contextmanager
def lease(place: Place, term_s: float = TERM_S) -> Iterator[None]:
    """Be the only machine that writes to the bucket.

    Raises:
        StoreLocked: another machine holds the right; the message names it.
        StoreError: the bucket cannot be written.
    """
    table = _open(place)
    held = _held(place, table)
    left_s = float(held.get("until", 0)) - time.time()
    if left_s > 0:
        raise StoreLocked(
            f"{place.root}: process {held.get('pid')} on {held.get('host')} (since "
            f"{held.get('since')}) is writing to this store; wait until it ends, or {left_s:.0f} s "
            "if it has died (reading needs no lock)"
        )
    mine = {
        "token": uuid.uuid4().hex,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    try:
        _write(table, {**mine, "until": time.time() + term_s})
    except CommitFailedError as error:
        raise StoreLocked(
            f"{place.root}: another machine has just begun to write to this store; "
            "wait until it ends"
        ) from error
    over = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(place, mine, term_s, over), name="lease", daemon=True
    )
    renewing.start()
    try:
        yield
    finally:
        over.set()
        renewing.join()
        _give_back(place, mine)


def _renew(place: Place, mine: dict[str, Any], term_s: float, over: threading.Event) -> None:
    while not over.wait(term_s / RENEWALS):
        try:
            table = _open(place)
            if _held(place, table).get("token") != mine["token"]:
                log.warning("%s: another machine took over; its commits win", place.root)
                return
            _write(table, {**mine, "until": time.time() + term_s})
        except (DeltaError, StoreError, OSError) as error:
            log.warning("%s: the right to write was not renewed: %s", place.root, error)


def _give_back(place: Place, mine: dict[str, Any]) -> None:
    try:
        table = _open(place)
        if _held(place, table).get("token") == mine["token"]:
            _write(table, {})
    except (DeltaError, StoreError, OSError) as error:
        log.warning("%s: the right to write runs out by itself: %s", place.root, error)


def _open(place: Place) -> DeltaTable:
    options = dict(place.storage_options)
    try:
        with contextlib.suppress(TableNotFoundError):
            return DeltaTable(place.uri(TABLE), storage_options=options)
        with contextlib.suppress(CommitFailedError):  # another machine was quicker
            DeltaTable.create(place.uri(TABLE), _NOTHING, mode="ignore", storage_options=options)
        return DeltaTable(place.uri(TABLE), storage_options=options)
    except (DeltaError, OSError) as error:
        raise StoreError(f"{place.uri(TABLE)}: cannot be opened: {error}") from error


def _held(place: Place, table: DeltaTable) -> dict[str, Any]:
    """What the newest commit says; nothing where nobody holds the right."""
    # not `history`, which keeps the interpreter's lock for as long as the server takes
    entry = place.path(f"{TABLE}/_delta_log/{table.version():020d}.json")
    with place.filesystem.open_input_stream(entry) as stream:
        lines = stream.read().decode().splitlines()
    commits = [json.loads(line).get("commitInfo", {}) for line in lines]
    return dict(json.loads(next((c["holder"] for c in commits if "holder" in c), "{}")))


def _write(table: DeltaTable, holder: dict[str, Any]) -> None:
    """Commit onto the version that ``table`` was opened at.

    Raises:
        CommitFailedError: somebody else did so first.
    """
    table.create_write_transaction(
        [],
        "append",
        table.schema(),
        commit_properties=CommitProperties(
            custom_metadata={"holder": json.dumps(holder)},
            max_commit_retries=0,  # a retry would go on from the newer version
            app_transactions=[Transaction(TABLE, table.version() + 1)],
        ),
    )
