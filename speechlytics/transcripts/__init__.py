"""Conversations transcribed elsewhere: read without audio, then every later stage as usual.

``read_transcripts`` yields one ``ImportedCall`` per conversation, and an ``ImportRefused`` in the
place of each that cannot be taken in, so that one bad line costs nothing else. ``to_analysis``
turns a call into the record that phrases, context and store work on.
"""

from __future__ import annotations

from speechlytics.transcripts._calls import ImportedCall, to_analysis
from speechlytics.transcripts._jsonl import conversation
from speechlytics.transcripts._read import read_transcripts
from speechlytics.transcripts._turns import activity_from_turns, silences_from_turns

__all__ = [
    "ImportedCall",
    "activity_from_turns",
    "conversation",
    "read_transcripts",
    "silences_from_turns",
    "to_analysis",
]
