"""What a dialog or an analysis holds: inline, or outside with a hash."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html.parser
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from speechlytics.errors import ImportRefused
from speechlytics.vcon._document import member

# Endings by which a decoder knows headerless sound; all other kinds say what they are.
_SUFFIXES = {
    "audio/x-wav": ".wav", "audio/wav": ".wav", "audio/wave": ".wav", "audio/vnd.wave": ".wav",
    "audio/mpeg": ".mp3", "audio/mp3": ".mp3", "audio/ogg": ".ogg", "audio/opus": ".opus",
    "audio/flac": ".flac", "audio/x-flac": ".flac", "audio/mp4": ".m4a", "audio/x-m4a": ".m4a",
    "audio/aac": ".aac", "audio/amr": ".amr", "audio/webm": ".webm", "audio/basic": ".ulaw",
    "audio/pcmu": ".ulaw", "audio/pcma": ".alaw", "audio/g722": ".g722", "audio/gsm": ".gsm",
    "video/mp4": ".mp4", "video/webm": ".webm", "video/ogg": ".ogg", "video/x-mp4": ".mp4",
}  # fmt: skip
MEDIA_TYPES = {suffix: kind for kind, suffix in reversed(_SUFFIXES.items())}
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")
_HASH = re.compile(r"sha-?512-([A-Za-z0-9_\-+/]+=*)")


@dataclass(frozen=True, slots=True)
class Sound:
    """One recording of a vCon: inline, or a reference.

    Attributes:
        at: File and JSON path, for messages.
        content: The bytes, if inline.
        url: URL or path, if outside.
        hashes: SHA-512 digests that the content must have one of; empty if none is stated.
        suffix: File ending that fits its media type.
    """

    at: str
    content: bytes | None
    url: str | None
    hashes: tuple[bytes, ...]
    suffix: str


def media_type(raw: dict[str, Any]) -> str:
    """Media type without parameters, in lower case; empty if not stated."""
    value = raw.get("mediatype") or raw.get("mimetype") or ""
    return str(value).split(";", 1)[0].strip().lower()


def sound(raw: dict[str, Any], where: str, at: str) -> Sound | None:
    """The recording of a dialog; ``None`` where it has no content (redacted, say).

    Raises:
        ImportRefused: a body that is no base64url, or a hash that is none.
    """
    body, url = raw.get("body"), member(raw, "url", str, where, at)
    if not body and not url:
        return None
    kind = media_type(raw)
    suffix = _SUFFIXES.get(kind) or _named_suffix(raw.get("filename"), url)
    content = None if not body else inline_bytes(body, raw.get("encoding"), where, at)
    return Sound(f"{where}: {at}", content, url, _hashes(raw, where, at), suffix)


def _named_suffix(*names: object) -> str:
    for name in names:
        path = urlsplit(name).path if isinstance(name, str) else ""
        suffix = PurePosixPath(path).suffix.lower()
        if _SUFFIX.fullmatch(suffix):
            return suffix
    return ".wav"


def _hashes(raw: dict[str, Any], where: str, at: str) -> tuple[bytes, ...]:
    stated = raw.get("content_hash")
    if stated is None and str(raw.get("alg", "")).upper().replace("-", "") == "SHA512":
        stated = f"sha512-{raw.get('signature')}"  # drafts before 0.3.0
    listed = [] if stated is None else stated if isinstance(stated, list) else [stated]
    found = []
    for value in listed:
        match = _HASH.fullmatch(value) if isinstance(value, str) else None
        digest = b"" if match is None else _base64url(match[1])
        if digest is not None and len(digest) == hashlib.sha512().digest_size:
            found.append(digest)
    if listed and not found:
        raise ImportRefused(
            f"{where}: {at}.content_hash = {stated!r} holds no SHA-512 hash (sha512-<base64url>)"
        )
    return tuple(found)


def content_hash(digest: bytes) -> str:
    """A SHA-512 digest as vCon writes it."""
    return f"sha512-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"


def check_hashes(expected: Iterable[bytes], digest: bytes, at: str) -> None:
    """Refuse content that is not what the vCon says.

    Raises:
        ImportRefused: none of the hashes fits.
    """
    wanted = tuple(expected)
    if wanted and digest not in wanted:
        raise ImportRefused(
            f"{at}.content_hash: the content has another SHA-512 hash: it was changed or "
            "replaced after the vCon was made"
        )


def inline_bytes(body: object, encoding: object, where: str, at: str) -> bytes:
    """Bytes of an inline body.

    Raises:
        ImportRefused: an unknown encoding, or not what the encoding says.
    """
    if encoding == "base64url" and isinstance(body, str):
        content = _base64url(body)
        if content is not None:
            return content
        raise ImportRefused(f"{where}: {at}.body is not base64url text")
    if encoding == "json":
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        return text.encode("utf-8", "replace")
    if encoding in ("none", None) and isinstance(body, str):
        return body.encode("utf-8", "replace")
    raise ImportRefused(
        f"{where}: {at}: encoding = {encoding!r} with a body of kind {type(body).__name__} is "
        "not understood; use base64url, json or none"
    )


def _base64url(text: str) -> bytes | None:
    plain = "".join(text.split()).translate(str.maketrans("-_", "+/")).rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (ValueError, binascii.Error):
        return None


def plain_text(raw: dict[str, Any], where: str, at: str) -> str | None:
    """Text of a text dialog; ``None`` where it has none (redacted, say).

    Raises:
        ImportRefused: it lies outside, or is of a media type that is no text.
    """
    body = raw.get("body")
    if not body:
        if raw.get("url"):
            raise ImportRefused(f"{where}: {at}.url: text outside the vCon is not fetched")
        return None
    kind = media_type(raw) or "text/plain"
    if not kind.startswith("text/"):
        raise ImportRefused(f"{where}: {at}.mediatype = {kind!r} is not a text")
    text = inline_bytes(body, raw.get("encoding"), where, at).decode("utf-8", "replace")
    return _without_tags(text) if kind == "text/html" else text.strip()


class _Words(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def _without_tags(text: str) -> str:
    words = _Words()
    words.feed(text)
    return " ".join(" ".join(words.parts).split())
