"""Where recordings come from and what is known about them. Reads metadata, decodes nothing.

``discover`` lists the recordings of a folder, a glob or an fsspec URL and describes each as a
``Recording``. What one row or file gets wrong stays with that call; only what makes the whole
source unusable (no such folder, a manifest that is missing) is an exception.

``open_captures`` finds the screen captures of a call's agent once the call's length is known.

Raw customer ids end here: only their keyed pseudonym goes on, and neither ``extra`` nor
``call_id`` repeats them. A file *name* that holds a number stays what it is in ``uris``.
"""

from __future__ import annotations

from speechlytics.sources._captures import Captures, open_captures
from speechlytics.sources._discover import discover
from speechlytics.sources._listing import list_files
from speechlytics.sources._names import safe_id
from speechlytics.sources._screens import beside
from speechlytics.sources._shots import Shot, captures_during
from speechlytics.sources.pseudonym import customer_key, load_or_create_key

__all__ = [
    "Captures",
    "Shot",
    "beside",
    "captures_during",
    "customer_key",
    "discover",
    "list_files",
    "load_or_create_key",
    "open_captures",
    "safe_id",
]
