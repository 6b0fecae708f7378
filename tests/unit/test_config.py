"""A wrong pipeline file says which file, line, key and value, and what to do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from speechlytics import config
from speechlytics.errors import ConfigError
from speechlytics.shipped import shipped


def _load(folder: Path, text: str) -> config.Config:
    path = folder / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    return config.load(path)


def test_shipped_nightly_file_loads_and_shows_every_section() -> None:
    path = shipped("pipelines") / "nightly.toml"
    loaded = config.load(path)
    assert loaded.transcribe.model == "demo"
    text = path.read_text(encoding="utf-8")
    for name in config.Config.__struct_fields__:
        assert f"[{name}]" in text or f"[[{name}]]" in text


def test_commented_defaults_of_the_nightly_file_are_the_defaults() -> None:
    """Every commented `key = value` line, switched on, changes nothing where it is a default."""
    text = (shipped("pipelines") / "nightly.toml").read_text(encoding="utf-8")
    section = ""
    seen = 0
    sections = {"audio": config.AudioConfig(), "run": config.RunConfig()}
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        default = re.match(r"# (\w+) = (\S+)", line)
        if section in sections and default:
            key, shown = default.groups()
            actual = getattr(sections[section], key)
            assert shown == (str(actual).lower() if isinstance(actual, bool) else str(actual))
            seen += 1
    assert seen >= 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('[source]\npath = "x"\n[transcribe]\nmodle = "y"\n', ":4: unknown key 'modle'"),
        ('[source]\npath = "x"\n[transcribe]\nmodle = "y"\n', "did you mean 'model'"),
        ('[source]\npath = "x"\nzone = "Mars/Phobos"\n', "'Mars/Phobos' is not a time zone"),
        ('[source]\npath = "x"\nzone = "../etc"\n', "is not a time zone"),
        ('[source]\npath = "x"\nleg_pattern = "("\n', "source.leg_pattern = '(' is not a regular"),
        ('[source]\npath = "x"\n[activity]\nvad_level = 9\n', ":4: "),
        ('[source]\npath = "x"\n[run]\nworkers = "two"\n', "Expected `int`"),
        ('[source]\npath = "x\n', "not valid TOML"),
        ("[source]\n", "missing required field `path`"),
        ("[sauce]\n", "unknown key 'sauce'"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert says in str(caught.value)
    assert "pipeline.toml" in str(caught.value)


def test_missing_and_binary_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        config.load(tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=r"binary\.toml: cannot be read"):
        config.load(tmp_path / "binary.toml")


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    loaded = _load(
        tmp_path,
        '[source]\npath = "in"\n[store]\npath = "/abs/store"\n'
        '[[export]]\nwhat = "unresolved"\nout = "out.csv"\n',
    )
    assert loaded.source.path == str(tmp_path / "in")
    assert loaded.store.path == "/abs/store"
    assert loaded.export[0].out == str(tmp_path / "out.csv")


def test_urls_stay_as_they_are(tmp_path: Path) -> None:
    assert _load(tmp_path, '[source]\npath = "s3://b/day/"\n').source.path == "s3://b/day/"


def test_digest_depends_on_values_only() -> None:
    one, other = config.ActivityConfig(), config.ActivityConfig(vad_level=2)
    assert config.digest(one) == config.digest(other)
    assert config.digest(one) != config.digest(config.ActivityConfig(vad_level=3))
