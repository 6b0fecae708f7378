"""Customers under a keyed pseudonym: the same customer, the same key, and no way back."""

from __future__ import annotations

import hmac
import os
import re
import secrets
import tempfile
import unicodedata
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from speechlytics.errors import ConfigError

_KEY_BYTES = 32
_PSEUDONYM_HEX = 32
_NUMBER = re.compile(r"[+\d\s().\-/ ]+")
_PREFIX = re.compile(r"^(?:tel|sips?|callto):", re.IGNORECASE)
# What exchanges put where a caller hides: these must not become one customer.
_NOBODY = frozenset(
    {
        "-", "<unknown>", "anonymous", "asterisk", "n/a", "nan", "no number", "none", "null",
        "private", "private number", "restricted", "s", "unavailable", "unknown", "withheld",
        "аноним", "неизвестно", "неизвестный", "номер скрыт", "скрыт", "скрытый номер",
    }
)  # fmt: skip


def load_or_create_key(path: Path) -> bytes:
    """Key of the pseudonyms: read, or made on first use (mode 0600, never half written).

    Of several processes that create it at once, one wins and all return the same key.

    Raises:
        ConfigError: the file cannot be read or written, or does not hold a key.
    """
    try:
        if not path.exists():
            _create(path)
        text = path.read_text(encoding="ascii").strip()
        key = bytes.fromhex(text)
    except OSError as error:
        raise ConfigError(
            f"{path}: key file cannot be read or written ({error.strerror}); "
            "check store.key_file and the permissions of its folder"
        ) from error
    except ValueError as error:
        raise _damaged(path) from error
    if len(key) != _KEY_BYTES:
        raise _damaged(path)
    return key


def customer_key(value: object, key: bytes, region: str) -> str | None:
    """Pseudonym of a customer id: 32 hex digits of HMAC-SHA256, or ``None`` for nobody.

    Telephone numbers are read in ``region`` and compared as E.164, so that 8-916-… and
    +7-916-… are one customer; other ids are compared without case and outer blanks.
    """
    normal = normalised(str(value), region)
    if normal is None:
        return None
    return hmac.new(key, normal.encode(), "sha256").hexdigest()[:_PSEUDONYM_HEX]


@lru_cache(maxsize=65536)
def normalised(value: str, region: str) -> str | None:
    """Comparable form of a customer id; ``None`` where it names nobody."""
    # Lone surrogates (undecodable bytes of a CSV or a file name) cannot be encoded.
    text = value.encode("utf-8", "replace").decode()
    text = _PREFIX.sub("", unicodedata.normalize("NFKC", text).strip())
    user = text.split("@", 1)[0]
    if _NUMBER.fullmatch(user):
        number = _e164(user, region)
        if number is not None:
            return f"tel:{number}"
    text = text.casefold()
    return None if not text or text in _NOBODY else f"id:{text}"


def _e164(text: str, region: str) -> str | None:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):  # extensions, account numbers
        return None
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _create(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    try:
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(_KEY_BYTES) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with suppress(FileExistsError):  # another process was first: its key counts
            _publish(Path(name), path)
    finally:
        Path(name).unlink(missing_ok=True)


def _publish(made: Path, path: Path) -> None:
    """Give the finished file its name, unless the name is taken."""
    try:
        os.link(made, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(made.read_bytes())


def _damaged(path: Path) -> ConfigError:
    return ConfigError(
        f"{path}: is not a key file ({_KEY_BYTES} bytes as hex digits); restore it from a backup, "
        "or remove it to start with a new key (customers of old calls will not be recognised)"
    )
