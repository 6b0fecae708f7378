"""What one user may see: texts covered, and ids under handles where they would show a number.

A call is often named after the caller's number (``20261122-79161234567.wav``). Whoever may not
see numbers gets a *handle* in every address and form instead: a keyed hash, the same in every
run of the page, that nobody can turn back and that finds the call among those of its day.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from speechlytics.errors import StoreError
from speechlytics.review._masking import COVER, mask, mask_name

KEY_FILE = "handles.key"
_KEY_BYTES = 32
_HASH_BYTES = 18
_HANDLE = re.compile(r"~[A-Za-z0-9_-]{24}")
_COVERED = re.compile(rf"{COVER}+(?:[\W_]{{0,3}}{COVER}+)*")
_REMEMBERED = 50_000


class Handles:
    """Keyed hashes in place of ids; the key lies in the page's folder and is made when needed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key: bytes | None = None
        self._issued: OrderedDict[str, str] = OrderedDict()
        self._guard = threading.Lock()

    def of(self, text: str) -> str:
        """The handle of an id.

        Raises:
            StoreError: the key cannot be read or written.
        """
        with self._guard:
            if self._key is None:
                self._key = _load_or_create(self._folder / KEY_FILE)
        made = hmac.new(self._key, text.encode("utf-8", "surrogatepass"), "sha256").digest()
        handle = "~" + base64.urlsafe_b64encode(made[:_HASH_BYTES]).decode()
        with self._guard:
            self._issued[handle] = text
            self._issued.move_to_end(handle)
            while len(self._issued) > _REMEMBERED:
                self._issued.popitem(last=False)
        return handle

    def find(self, given: str, among: Iterable[str] = ()) -> str | None:
        """The id behind a handle that was issued lately, or that belongs to one of these."""
        if not is_handle(given):
            return None
        with self._guard:
            known = self._issued.get(given)
        return known or next((text for text in among if self.of(text) == given), None)


def is_handle(given: str) -> bool:
    """Whether a text looks like a handle."""
    return _HANDLE.fullmatch(given) is not None


@dataclass(frozen=True, slots=True)
class Cover:
    """What is shown to one user, and what stands in the addresses that this user gets."""

    hidden: bool
    handles: Handles

    def __call__(self, text: str | None) -> str:
        """What somebody said or wrote."""
        return mask(text or "") if self.hidden else (text or "")

    def ref(self, call_id: str) -> str:
        """A call's id as an address holds it."""
        return self.handles.of(call_id) if self.hidden and mask(call_id) != call_id else call_id

    def id(self, call_id: str) -> str:
        """A call's id as it is shown."""
        return self._marked(call_id, mask(call_id))

    def name(self, text: str | None) -> str:
        """An agent, team or queue as it is shown."""
        return self._marked(text or "", mask_name(text or ""))

    def _marked(self, text: str, covered: str) -> str:
        """Covered text, shortened; the last letters of its handle tell it from others."""
        if not self.hidden or covered == text:
            return text
        return f"{_COVERED.sub(2 * COVER, covered)} #{self.handles.of(text)[-4:]}"

    def value(self, text: str) -> str:
        """An agent, team or queue as an address holds it."""
        covered = self.hidden and mask_name(text) != text
        return self.handles.of(text) if covered else text

    def meant(self, given: str, known: Iterable[str]) -> str:
        """What an address means by an agent, team or queue."""
        return (self.handles.find(given, known) or given) if is_handle(given) else given


def _load_or_create(path: Path) -> bytes:
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            temporary = path.with_name(f".{path.name}.{os.getpid()}")
            descriptor = os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(secrets.token_hex(_KEY_BYTES))
            with contextlib.suppress(FileExistsError):
                os.link(temporary, path)  # of two pages that start at once, one wins
            temporary.unlink()
        key = bytes.fromhex(path.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: cannot be read or written: {error}") from error
    if len(key) != _KEY_BYTES:
        raise StoreError(f"{path}: is damaged; delete it (links sent before will not work)")
    return key
