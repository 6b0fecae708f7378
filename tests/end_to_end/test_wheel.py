"""What `pip install` brings: the packs, the SQL, the model, and a demo in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NEEDED = (
    "speechlytics/_models/registry.toml",
    "speechlytics/_pipelines/nightly.toml",
    "speechlytics/_pipelines/demo/pipeline.toml",
    "speechlytics/_pipelines/demo/calls/manifest.csv",
    "speechlytics/sql/views/unresolved_calls.sql",
    "speechlytics/transcribe/reference-ru.wav",
    "speechlytics/py.typed",
)
PAGE_FILES = {".html", ".css", ".js", ".svg", ".txt", ".mo"}
"""What the review page sends, beside its code."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    return next(folder.glob("*.whl"))


def test_wheel_holds_all_that_travels(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in NEEDED:
        assert needed in names
    for language in ("ru", "uk", "be", "en", "hu"):
        assert any(n.startswith(f"speechlytics/_pipelines/phrases/{language}/") for n in names)
    assert any(n.startswith("speechlytics/_models/demo") and n.endswith("model.bin") for n in names)
    page = [p for p in (ROOT / "speechlytics/review").rglob("*") if p.suffix in PAGE_FILES]
    assert len(page) > 15
    assert {str(path.relative_to(ROOT)) for path in page} <= set(names)
    assert not [n for n in names if "/training/" in n or n.startswith("tests/")]


@pytest.mark.slow
def test_installed_wheel_runs_the_demo_in_an_empty_folder(wheel: Path, tmp_path: Path) -> None:
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "HF_HUB_OFFLINE": "1"}
    where = subprocess.run(
        [sys.executable, "-c", "import speechlytics; print(speechlytics.__file__)"],
        cwd=empty, env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(site))
    done = subprocess.run(
        [sys.executable, "-m", "speechlytics", "demo"],
        cwd=empty, env=environment, check=False, capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "UNRESOLVED" in done.stdout
    assert (empty / "speechlytics-demo" / "store" / "catalog.duckdb").is_file()
