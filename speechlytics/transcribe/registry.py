"""Which speech models there are, where they lie, and whether they are sound.

Imports no speech library: resolving a name and reading a model's shape costs milliseconds.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from speechlytics.config import TranscribeConfig
from speechlytics.errors import ConfigError, ModelMissing, TranscriptionError
from speechlytics.shipped import shipped
from speechlytics.transcribe.windows import WindowShape

MODEL_FILES = ("config.json", "model.bin", "tokenizer.json")
_HUB_FILES = [
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.*",
]
_WHISPER_WINDOW_S = 30.0
_TAIL_S = 0.5  # silence that the encoder sees after the last word


class ModelRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of ``models/registry.toml``; the file's header explains the columns."""

    name: str = ""
    title: str
    repo: str | None = None
    revision: str | None = None
    folder: str | None = None
    size_mb: float
    languages: tuple[str, ...] = ()
    licence: str
    hardware: str
    n_mels: Annotated[int, Meta(gt=0)] = 80
    window_s: Annotated[float, Meta(gt=1, le=30)] = _WHISPER_WINDOW_S
    encoder_s: tuple[Annotated[float, Meta(gt=1, le=30)], ...] = (_WHISPER_WINDOW_S,)
    sha256: dict[str, str] = {}


def shipped_models_folder() -> Path:
    """``models/`` of a checkout, or the same folder inside an installed wheel.

    Raises:
        ModelMissing: neither is there.
    """
    try:
        return shipped("models")
    except FileNotFoundError as error:
        raise ModelMissing(str(error)) from error


@lru_cache(maxsize=4)
def _registry(folder: Path) -> tuple[dict[str, ModelRow], dict[str, str]]:
    path = folder / "registry.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        rows = {
            name: msgspec.convert({"name": name, **row}, ModelRow)
            for name, row in raw.get("model", {}).items()
        }
    except (OSError, tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}; restore the shipped file") from error
    return rows, dict(raw.get("alias", {}))


def list_models() -> tuple[ModelRow, ...]:
    """All rows of the registry, in its order."""
    return tuple(_registry(shipped_models_folder())[0].values())


def find(name: str) -> ModelRow | None:
    """The row of a name or of an alias such as ``demo``; ``None`` for anything else."""
    rows, aliases = _registry(shipped_models_folder())
    return rows.get(aliases.get(name, name))


def resolve(name: str, *, download: bool = False) -> Path:
    """Folder of a model: a local folder, a shipped one, the hub's cache, or a download.

    Raises:
        ModelMissing: not on this machine; the message says the ways to get it.
    """
    row = find(name)
    if row is None:
        folder = Path(name).expanduser()
        if _looks_like_model(folder):
            return folder.resolve()
        raise ModelMissing(_how_to_get(name, folder))
    if row.folder is not None:
        folder = shipped_models_folder() / row.folder
        if _looks_like_model(folder):
            return folder
        raise ModelMissing(f"{folder}: shipped model {row.name!r} is not there; reinstall")
    beside = Path(row.name)
    if _looks_like_model(beside):
        return beside.resolve()
    cached = _from_hub(row, local_files_only=True)
    if cached is None and download:
        cached = _from_hub(row, local_files_only=False)
    if cached is None:
        raise ModelMissing(_how_to_get(name, beside, row))
    return cached


def fetch(name: str) -> Path:
    """Folder of a model, downloaded if need be.

    Raises:
        ModelMissing: unknown, or it could not be downloaded.
    """
    return resolve(name, download=True)


def window_shape(config: TranscribeConfig) -> WindowShape:
    """How speech must be packed for the configured model; reads its JSON files only.

    Raises:
        ModelMissing: the model is not on this machine.
        TranscriptionError: its files cannot be read.
        ConfigError: the configured window does not fit the encoder.
    """
    row = find(config.model)
    own = _preprocessor(resolve(config.model, download=config.download))
    n_mels = int(own.get("feature_size", row.n_mels if row else 80))
    window_s = row.window_s if row else float(own.get("chunk_length", _WHISPER_WINDOW_S))
    encoder_s = row.encoder_s if row else (_WHISPER_WINDOW_S,)
    if row is None:
        window_s = min(window_s, _WHISPER_WINDOW_S - _TAIL_S)
    encoder_s = tuple(sorted(config.encoder_s or encoder_s))
    window_s = config.window_s or min(window_s, encoder_s[-1] - _TAIL_S)
    if window_s > encoder_s[-1]:
        raise ConfigError(
            f"transcribe.window_s = {window_s} is longer than transcribe.encoder_s = "
            f"{list(encoder_s)}; shorten the window or encode 30"
        )
    return WindowShape(n_mels=n_mels, window_s=window_s, encoder_s=encoder_s)


def model_languages(config: TranscribeConfig) -> tuple[str, ...]:
    """Languages among which the configured model may choose; empty means all it knows.

    Raises:
        ConfigError: the allow-list and the model's languages have nothing in common.
    """
    row = find(config.model)
    known = row.languages if row else ()
    if not (config.languages and known):
        return config.languages or known
    both = tuple(language for language in config.languages if language in known)
    if not both:
        raise ConfigError(
            f"transcribe.languages = {list(config.languages)}: model {config.model!r} knows only "
            f"{list(known)}; choose another model or language"
        )
    return both


def broken_files(name: str, folder: Path) -> list[str]:
    """What is wrong with a model's files: missing ones, and sha256 other than registered."""
    row = find(name)
    problems = [f"{file} is missing" for file in MODEL_FILES if not (folder / file).is_file()]
    for file, expected in (row.sha256 if row else {}).items():
        path = folder / file
        if not path.is_file():
            problems.append(f"{file} is missing")
            continue
        with path.open("rb") as stream:
            actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != expected:
            problems.append(f"{file} has sha256 {actual}, registered is {expected}")
    return sorted(set(problems))


def _looks_like_model(folder: Path) -> bool:
    return all((folder / file).is_file() for file in ("config.json", "model.bin"))


def _preprocessor(folder: Path) -> dict[str, Any]:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TranscriptionError(
            f"{path}: cannot be read ({error}); fetch the model again"
        ) from error
    return content if isinstance(content, dict) else {}


def _from_hub(row: ModelRow, *, local_files_only: bool) -> Path | None:
    if row.repo is None:
        return None
    import huggingface_hub

    try:
        return Path(
            huggingface_hub.snapshot_download(
                row.repo,
                revision=row.revision,
                allow_patterns=_HUB_FILES,
                local_files_only=local_files_only,
            )
        )
    except Exception as error:  # the hub raises its own, requests' and OS errors alike
        if local_files_only:
            return None
        raise ModelMissing(
            f"model {row.name!r} could not be downloaded from {row.repo}: {error}\n"
            f"{_how_to_get(row.name, Path(row.name), row)}"
        ) from error


def _how_to_get(name: str, folder: Path, row: ModelRow | None = None) -> str:
    if row is None:
        known = ", ".join(row.name for row in list_models())
        return (
            f"model {name!r} is neither a registered name nor a folder with a CTranslate2 Whisper "
            f"model (config.json and model.bin in {folder}). Either choose a registered name "
            f"({known}), or give the path of a converted model, or convert one with "
            "`ct2-transformers-converter`"
        )
    return (
        f"model {name!r} ({row.size_mb:.0f} MB) is not on this machine. Three ways to get it: "
        f"(1) `speechlytics models fetch {row.name}`, or download = true under [transcribe], "
        f"where the network allows; (2) copy a folder with {row.repo} from elsewhere and set "
        f'model = "/path/to/folder"; (3) fill the Hugging Face cache (HF_HOME) on another '
        'machine and bring it here. model = "demo" works without any of it'
    )
