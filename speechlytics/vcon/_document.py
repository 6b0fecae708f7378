"""Bytes → the JSON object of a vCon, in the one form that can be read: unsigned and complete."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, overload

from speechlytics.errors import ImportRefused

VERSION = "0.4.0"
# Earlier drafts differ in names that are read anyway (mimetype, appended, alg + signature).
READABLE = frozenset({VERSION, "0.3.0", "0.0.3", "0.0.2", "0.0.1"})
SUPPORTED_EXTENSIONS = frozenset({"CC"})
MAX_BYTES = 1 << 30
_GZIP = b"\x1f\x8b"
_Kind = TypeVar("_Kind", dict[str, Any], list[Any], str)


def documents(path: Path) -> Iterator[tuple[str, dict[str, Any]] | ImportRefused]:
    """Place and content of each vCon of a file: one, or one a line in ``.jsonl``.

    Raises:
        ImportRefused: the file cannot be read at all.
    """
    text = _text(path)
    if path.suffix.lower() not in (".jsonl", ".ndjson"):
        yield _document(text, str(path))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _document(line, f"{path}:{number}")


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ImportRefused(f"{path}: larger than {MAX_BYTES >> 20} MiB")
        content = path.read_bytes()
        if content.startswith(_GZIP):
            with gzip.open(path) as stream:
                content = stream.read(MAX_BYTES + 1)
            if len(content) > MAX_BYTES:
                raise ImportRefused(f"{path}: unpacks to more than {MAX_BYTES >> 20} MiB")
        return content.decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path}: cannot be read as UTF-8 JSON ({error})") from error


def _document(text: str, where: str) -> tuple[str, dict[str, Any]] | ImportRefused:
    try:
        raw = json.loads(text)
        if not isinstance(raw, dict):
            return ImportRefused(f"{where}: $: expected an object, found {type(raw).__name__}")
        _check_form(raw, where)
    except (ValueError, RecursionError) as error:
        return ImportRefused(f"{where}: not valid JSON: {error}")
    except ImportRefused as refused:
        return refused
    return where, raw


def _check_form(raw: dict[str, Any], where: str) -> None:
    """Refuse what is not a complete, unsigned vCon of a known version."""
    if "payload" in raw and "signatures" in raw:
        raise ImportRefused(f"{where}: $: is a signed vCon (JWS); verify it and import its payload")
    if "ciphertext" in raw and "recipients" in raw:
        raise ImportRefused(f"{where}: $: is an encrypted vCon (JWE); decrypt it first")
    if not raw.keys() & {"parties", "dialog", "analysis"}:
        raise ImportRefused(f"{where}: $: is no vCon: has neither parties, dialog nor analysis")
    version = raw.get("vcon", VERSION)
    if version not in READABLE:
        raise ImportRefused(
            f"{where}: $.vcon = {version!r} is not a version that is understood; "
            f"known are {', '.join(sorted(READABLE))}"
        )
    if member(raw, "uuid", str, where, "$") is None:
        raise ImportRefused(f"{where}: $.uuid is missing")
    for name in ("critical", "must_support"):
        listed = member(raw, name, list, where, "$") or []
        unknown = [e for e in listed if e not in SUPPORTED_EXTENSIONS]
        if unknown:
            raise ImportRefused(
                f"{where}: $.{name}: needs extensions that are not supported: {unknown}"
            )
    if raw.get("group"):
        raise ImportRefused(
            f"{where}: $.group: joins other vCons to one conversation; import those themselves"
        )
    for name in ("amended", "appended", "redacted"):
        prior = member(raw, name, dict, where, "$")
        if prior and not raw.get("dialog"):
            raise ImportRefused(
                f"{where}: $.{name}: only refers to vCon {prior.get('uuid', '(no uuid)')!r} and "
                "has no dialog of its own; import the one that has"
            )


@overload
def member(
    raw: dict[str, Any], name: str, kind: type[_Kind], where: str, at: str
) -> _Kind | None: ...


@overload
def member(
    raw: dict[str, Any], name: str, kind: Literal["number"], where: str, at: str
) -> float | None: ...


def member(raw: dict[str, Any], name: str, kind: Any, where: str, at: str) -> Any:
    """A member of an object, checked; ``None`` where it is missing or null.

    Raises:
        ImportRefused: it is of another kind; the message has its JSON path.
    """
    value = raw.get(name)
    if value is None:
        return None
    if kind == "number":
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e7:
            raise ImportRefused(f"{where}: {at}.{name} = {value!r} is not a number of seconds")
        return float(value)
    if not isinstance(value, kind):
        raise ImportRefused(
            f"{where}: {at}.{name}: expected {kind.__name__}, found {type(value).__name__}"
        )
    return value


def objects(raw: dict[str, Any], name: str, where: str) -> list[tuple[str, dict[str, Any]]]:
    """JSON path and content of each object of a list."""
    listed = member(raw, name, list, where, "$") or []
    for index, item in enumerate(listed):
        if not isinstance(item, dict):
            raise ImportRefused(
                f"{where}: $.{name}[{index}]: expected an object, found {type(item).__name__}"
            )
    return [(f"$.{name}[{index}]", item) for index, item in enumerate(listed)]
