from __future__ import annotations

import shutil
from pathlib import Path

import huggingface_hub
import pytest
from faster_whisper.utils import _MODELS

from speechlytics.config import TranscribeConfig
from speechlytics.errors import ConfigError, ModelMissing
from speechlytics.transcribe import (
    WindowShape,
    broken_files,
    check,
    engine_settings,
    fetch,
    find,
    list_models,
    resolve,
    shipped_models_folder,
    window_shape,
)
from speechlytics.transcribe.registry import model_languages


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache and no network, wherever the test runs."""

    def nothing(*args: object, **kwargs: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", nothing)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def copied_model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(resolve("demo"), tmp_path / "own"))


def test_rows_agree_with_faster_whispers_own_list() -> None:
    for row in list_models():
        if row.repo is not None:
            assert _MODELS[row.name] == row.repo
    names = {row.name for row in list_models()}
    assert names >= {"tiny", "base", "small", "medium", "large-v3", "large-v3-turbo"}


def test_every_row_has_room_for_its_windows_and_every_shipped_model_a_card() -> None:
    for row in list_models():
        assert row.window_s < max(row.encoder_s) <= 30
        if row.folder is not None:
            folder = shipped_models_folder() / row.folder
            assert (folder / "card.md").is_file()
            assert broken_files(row.name, folder) == []
            assert sum(p.stat().st_size for p in folder.iterdir()) < 12e6


def test_the_default_model_is_shipped() -> None:
    assert resolve(TranscribeConfig().model).parent == shipped_models_folder()


def test_a_folder_is_a_model(copied_model: Path) -> None:
    assert resolve(str(copied_model)) == copied_model
    settings = engine_settings(TranscribeConfig(model=str(copied_model)))
    assert settings.model_id == "own"
    assert settings.shape == WindowShape(n_mels=80, window_s=10.0, encoder_s=(30.0,))


def test_a_missing_model_says_three_ways_to_get_it() -> None:
    with pytest.raises(ModelMissing) as caught:
        resolve("large-v3")
    message = str(caught.value)
    assert "speechlytics models fetch large-v3" in message
    assert 'model = "/path/to/folder"' in message
    assert "HF_HOME" in message
    assert "3090 MB" in message


def test_a_failed_download_says_why_and_the_ways() -> None:
    with pytest.raises(ModelMissing, match=r"(?s)no route to host.*Three ways"):
        fetch("small")


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelMissing, match=r"'lareg'.*large-v3-turbo"):
        resolve("lareg")


def test_the_cache_is_used_before_any_download(
    monkeypatch: pytest.MonkeyPatch, copied_model: Path
) -> None:
    asked: list[bool] = []

    def cache(repo: str, *, local_files_only: bool, **kwargs: object) -> str:
        asked.append(local_files_only)
        if local_files_only:
            raise FileNotFoundError(repo)
        return str(copied_model)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", cache)
    with pytest.raises(ModelMissing):
        resolve("base")
    assert asked == [True]
    assert resolve("base", download=True) == copied_model
    assert asked == [True, True, False]


def test_aliases() -> None:
    assert find("turbo") == find("large-v3-turbo")
    assert find("nothing") is None


def test_configured_windows_must_fit_the_encoder() -> None:
    shape = window_shape(TranscribeConfig(window_s=9.0, encoder_s=(30.0, 15.0)))
    assert shape == WindowShape(n_mels=80, window_s=9.0, encoder_s=(15.0, 30.0))
    assert window_shape(TranscribeConfig(encoder_s=(3.0,))).window_s == 2.5
    with pytest.raises(ConfigError, match=r"window_s = 20\.0"):
        window_shape(TranscribeConfig(window_s=20.0, encoder_s=(15.0,)))


def test_languages_are_those_of_the_pipeline_that_the_model_knows() -> None:
    assert model_languages(TranscribeConfig(model="demo-prototype", languages=("en", "ru"))) == (
        "ru",
    )
    assert model_languages(TranscribeConfig(model="small", languages=("uk", "ru"))) == ("uk", "ru")
    assert model_languages(TranscribeConfig(model="small")) == ()
    with pytest.raises(ConfigError, match="hu"):
        model_languages(TranscribeConfig(model="demo-prototype", languages=("hu",)))


def test_check_finds_damage(monkeypatch: pytest.MonkeyPatch, copied_model: Path) -> None:
    (copied_model / "tokenizer.json").unlink()
    (copied_model / "config.json").write_text("{}")
    problems = broken_files("demo", copied_model)
    assert problems[0].startswith("config.json has sha256")
    assert problems[1] == "tokenizer.json is missing"
    found = check(str(copied_model))
    assert not found.ok
    assert found.problems == ("tokenizer.json is missing",)


def test_check_finds_a_model_that_does_not_load(copied_model: Path) -> None:
    (copied_model / "model.bin").write_bytes(b"nothing")
    found = check(str(copied_model))
    assert not found.ok
    assert "does not load" in found.problems[0]
