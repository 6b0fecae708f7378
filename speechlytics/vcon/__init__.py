"""vCon documents (draft-ietf-vcon-vcon-core-04, ``vcon: "0.4.0"``): read and written, no more.

``read_vcons`` yields one ``Conversation`` per call that a file holds and an ``ImportRefused``,
with file and JSON path, in the place of each that cannot be taken in. ``to_vcon`` makes the
document of a stored call. Nothing is decoded, fetched or stored here.
"""

from __future__ import annotations

from speechlytics.vcon._content import Sound, check_hashes, content_hash
from speechlytics.vcon._own import StoredCall
from speechlytics.vcon._read import Conversation, read_vcons
from speechlytics.vcon._write import SoundFile, to_vcon

__all__ = [
    "Conversation",
    "Sound",
    "SoundFile",
    "StoredCall",
    "check_hashes",
    "content_hash",
    "read_vcons",
    "to_vcon",
]
