"""pipeline.toml → frozen sections. An unknown key is an error that names it.

Measurement knobs (how a signal is read) live here. Judgement knobs (how long is long, what is
unresolved) live in SQL: macro defaults and ``reason_weights``. Paths in a file are relative to
the file.
"""

from __future__ import annotations

from speechlytics.config._job import ExportConfig, RayConfig, RunConfig, StoreConfig
from speechlytics.config._pipeline import Config, check, digest, load
from speechlytics.config._section import Section, replace
from speechlytics.config._source import MetadataSource, ScreensConfig, SourceConfig
from speechlytics.config._stages import ActivityConfig, AudioConfig, PhrasesConfig, TranscribeConfig

__all__ = [
    "ActivityConfig",
    "AudioConfig",
    "Config",
    "ExportConfig",
    "MetadataSource",
    "PhrasesConfig",
    "RayConfig",
    "RunConfig",
    "ScreensConfig",
    "Section",
    "SourceConfig",
    "StoreConfig",
    "TranscribeConfig",
    "check",
    "digest",
    "load",
    "replace",
]
