"""What the page writes: verdicts, and who listened. Both are appended; nothing is changed."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from queue import Empty, SimpleQueue
from typing import Any

from speechlytics.errors import StoreError
from speechlytics.store import Store, audit_entry

log = logging.getLogger("speechlytics.review")

RUN_ID = "review"
VERDICTS = ("resolved", "unresolved", "unclear")
MAX_NOTE = 4000
SAME_LISTENING_S = 600.0
"""A player asks for one recording many times; within this time it is one listening."""
GATHER_S = 0.5
"""Entries of this time are written together: each commit costs the same, however many."""


class Journal:
    """Appends to ``reviews`` and ``audit``.

    Listenings are written by a thread, half a second later at most; a verdict before its page
    is answered. While the audit cannot be written, nothing can be heard.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        self._heard: dict[tuple[str, str], float] = {}
        self._guard = threading.Lock()
        self._failed: str | None = None
        self._thread = threading.Thread(target=self._write, name="audit", daemon=True)
        self._thread.start()

    def listened(self, actor: str, call_id: str) -> None:
        """Note a listening.

        Raises:
            StoreError: the last entries could not be written.
        """
        if self._failed is not None:
            raise StoreError(f"listening cannot be recorded in the audit: {self._failed}")
        now = time.monotonic()
        with self._guard:
            known = self._heard.get((actor, call_id))
            if known is not None and now - known < SAME_LISTENING_S:
                return
            if len(self._heard) > 100_000:
                self._heard.clear()
            self._heard[actor, call_id] = now
        self.note(actor, "listen", call_id)

    def note(self, actor: str, action: str, call_id: str | None = None, **detail: Any) -> None:
        """Note anything else that somebody did."""
        self._waiting.put(audit_entry(actor, action, call_id, detail, RUN_ID))

    def verdict(self, actor: str, call_id: str, verdict: Mapping[str, str]) -> str:
        """Append a verdict (``verdict``, ``reason``, ``note``, ``sample_kind``) and its audit.

        Returns:
            The review's id.

        Raises:
            StoreError: the store cannot be written.
        """
        review_id = uuid.uuid4().hex
        self._store.append_reviews(
            [
                {
                    "review_id": review_id,
                    "call_id": call_id,
                    "reviewer": actor,
                    **{name: text or None for name, text in verdict.items()},
                    "reviewed_at": datetime.now(UTC),
                    "run_id": RUN_ID,
                }
            ]
        )
        detail = {"verdict": verdict["verdict"], "review_id": review_id}
        self._store.append_audit([audit_entry(actor, "verdict", call_id, detail, RUN_ID)])
        return review_id

    def close(self) -> None:
        """Write what waits and stop."""
        self._waiting.put(None)
        self._thread.join()

    def _write(self) -> None:
        stop = False
        pending: list[dict[str, Any]] = []
        while not stop or pending:
            if not pending:
                entry = self._waiting.get()
                stop = entry is None
                pending = [entry] if entry is not None else []
                time.sleep(0 if stop else GATHER_S)
            stop = self._drain(pending) or stop
            if not pending:
                return
            try:
                self._store.append_audit(pending)
                pending, self._failed = [], None
            except StoreError as error:
                self._failed = str(error)
                log.error("audit entries wait, nothing can be heard: %s", error)  # noqa: TRY400
                if stop:
                    return
                time.sleep(GATHER_S)

    def _drain(self, pending: list[dict[str, Any]]) -> bool:
        """Take everything that waits; whether the end was among it."""
        stop = False
        while True:
            try:
                entry = self._waiting.get_nowait()
            except Empty:
                return stop
            if entry is None:
                stop = True
            else:
                pending.append(entry)
