"""Chooses a reader by what a file is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from speechlytics.errors import ImportRefused
from speechlytics.records import Role
from speechlytics.transcripts._calls import ImportedCall
from speechlytics.transcripts._captions import read_captions
from speechlytics.transcripts._jsonl import read_json, read_jsonl


def read_transcripts(
    path: Path, *, speakers: dict[str, Role] | None = None, text_key: str = "text"
) -> Iterator[ImportedCall | ImportRefused]:
    """Read the conversations of one file, in its order.

    ``.jsonl``: one conversation per line (call metadata, ``turns`` with ``speaker``, ``start_s``,
    ``end_s``, ``text``, optional ``silences`` with ``start_s``, ``end_s``, ``kind``). ``.json``:
    one such conversation, or faster-whisper's or WhisperX's ``segments``. ``.srt`` and ``.vtt``:
    captions with speaker labels.

    Args:
        path: The file; a conversation that states no ``call_id`` takes the file's name.
        speakers: Role by speaker label, on top of the names that are understood anyway (agent,
            operator, customer, client, …); other labels become ``unknown``.
        text_key: Field of a JSON turn that holds its words; labelled calls carry a recogniser's
            version of them beside the true one.

    Yields:
        A call, or in its place the reason why it was refused: file, line, what is wrong.

    Raises:
        ImportRefused: the file cannot be read at all, or its kind is not known.
    """
    readers = {
        ".jsonl": read_jsonl,
        ".ndjson": read_jsonl,
        ".json": read_json,
        ".srt": read_captions,
        ".vtt": read_captions,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise ImportRefused(
            f"{path}: {path.suffix or 'no'} ending is not a transcript; "
            f"expected one of {', '.join(sorted(readers))}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ImportRefused(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return reader(path, text, speakers or {}, text_key)
