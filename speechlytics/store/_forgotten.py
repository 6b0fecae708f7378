"""Which calls were forgotten, so that none comes back while its recording is still in the source.

``<store>/_forgotten.json`` holds a random salt and salted hashes, nothing that tells a call or a
customer: whoever reads it can only test whether an id that he knows already was forgotten. Of a
customer it holds the hash of the pseudonym, and until when his calls are forgotten; later calls
are new data and come in.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from speechlytics.records import Recording
from speechlytics.store.durable import Place

FILE = "_forgotten.json"
DIGEST_HEX = 32


@dataclass(frozen=True, slots=True)
class Forgotten:
    """Hash → instant at which it was forgotten, of calls and of customers."""

    salt: bytes = b""
    calls: Mapping[str, str] = field(default_factory=dict)
    customers: Mapping[str, str] = field(default_factory=dict)

    def call(self, call_id: str) -> str | None:
        """When this call was forgotten (ISO 8601), ``None`` if it was not."""
        return self.calls.get(self._hash("call", call_id)) if self.calls else None

    def customer(self, customer_key: str | None, started_at: datetime) -> str | None:
        """When the customer of a call that started then was forgotten, ``None`` if not."""
        if customer_key is None or not self.customers:
            return None
        at = self.customers.get(self._hash("customer", customer_key))
        return at if at is not None and started_at <= datetime.fromisoformat(at) else None

    def of(self, recording: Recording) -> str | None:
        """When this call, or its customer, was forgotten; ``None`` if it may come in."""
        known = self.call(recording.call_id)
        return known or self.customer(recording.customer_key, recording.started_at)

    def _hash(self, kind: str, value: str) -> str:
        text = f"{kind}:{value}".encode("utf-8", "surrogatepass")
        return hmac.new(self.salt, text, "sha256").hexdigest()[:DIGEST_HEX]

    def extended(
        self, call_ids: Iterable[str], customer_keys: Iterable[str], at: datetime
    ) -> Forgotten:
        """These too; a call keeps its first instant, a customer gets the new one."""
        salted = self if self.salt else Forgotten(secrets.token_bytes(16))
        now = at.isoformat()
        return Forgotten(
            salted.salt,
            dict.fromkeys((salted._hash("call", i) for i in call_ids), now) | dict(self.calls),
            dict(self.customers) | {salted._hash("customer", k): now for k in customer_keys},
        )


def read(place: Place) -> Forgotten:
    """What was forgotten in this store.

    Raises:
        StoreError: the file is there but cannot be read.
    """
    value = place.read_json(FILE)
    if value is None:
        return Forgotten()
    return Forgotten(bytes.fromhex(value["salt"]), value["calls"], value["customers"])


def add(place: Place, call_ids: Iterable[str], customer_keys: Iterable[str], at: datetime) -> None:
    """Remember these too."""
    whole = read(place).extended(call_ids, customer_keys, at)
    place.write_json(
        FILE,
        {
            "salt": whole.salt.hex(),
            "calls": dict(whole.calls),
            "customers": dict(whole.customers),
        },
    )
