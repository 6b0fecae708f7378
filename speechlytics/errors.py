"""The exceptions that speechlytics raises on purpose.

    SpeechlyticsError
    ├── ConfigError          a pipeline file, a pack or an option is wrong (exit code 2)
    │   └── RuleError        a phrase pack is wrong: file, rule id, key
    ├── SourceError          a source or its metadata cannot be read
    ├── AudioError           a recording cannot be decoded: file and cause
    │   └── AudioOutOfReach  its bytes cannot be had: gone, unreadable, server silent
    ├── TranscriptionError   the speech model failed on a window or died
    │   └── ModelMissing     a model is not on this machine, and how to get it
    ├── ImportRefused        a conversation from elsewhere cannot be taken in: file, line, reason
    ├── CaptureError         the screen cannot be recorded: no display, no permission
    ├── RunnerError          no worker can be had: a cluster is out of reach or full
    └── StoreError           the store cannot be read or written
        └── StoreLocked      another run holds the store (exit code 4)

A message says what was wrong (the value), where (file, key, line) and what to do.
Everything else that escapes is a defect of speechlytics.
"""

from __future__ import annotations


class SpeechlyticsError(Exception):
    """Base of all errors that speechlytics raises on purpose."""


class ConfigError(SpeechlyticsError):
    """A pipeline file, an option or a pack cannot be used as written."""


class RuleError(ConfigError):
    """A phrase pack is wrong; the message names file, rule and key."""


class SourceError(SpeechlyticsError):
    """A source of recordings, or the metadata that describes them, cannot be read."""


class AudioError(SpeechlyticsError):
    """A recording cannot be decoded; the message names the file and the cause."""


class AudioOutOfReach(AudioError):
    """A recording's bytes cannot be had: it is gone, unreadable, or its server does not answer."""


class TranscriptionError(SpeechlyticsError):
    """The speech model failed on a window, answered nonsense, or its process died."""


class ModelMissing(TranscriptionError):
    """A model is not on this machine; the message says the ways to get it."""


class ImportRefused(SpeechlyticsError):
    """A conversation from elsewhere cannot be taken in; the message names file and line."""


class CaptureError(SpeechlyticsError):
    """The screen cannot be recorded; the message says what is missing."""


class RunnerError(SpeechlyticsError):
    """The runner cannot work at all; the message says what the cluster lacks."""


class StoreError(SpeechlyticsError):
    """The store cannot be read or written."""


class StoreLocked(StoreError):
    """Another run holds the store's lock."""
