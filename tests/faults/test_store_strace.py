"""The same as test_store_crashes, with the system's own calls failing (needs strace)."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.test_store_crashes import FIRST, SECOND, contents, night

STRACE = shutil.which("strace")
ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
from pathlib import Path
from tests.faults.test_store_crashes import SECOND, night
night(Path(sys.argv[1]), SECOND, "run-2")
"""
# Syscalls and at which occurrence (strace counts per thread) they are hit.
CALLS = {
    "write,pwrite64": [1, 2, 4, 8, 16, 32, 64, 128],
    "fsync": range(1, 26, 3),
    "rename": [1, 2, 3],
    "link,linkat": [1, 2],
    "openat": [600, 650, 700, 750],
}
# Errors only where files are meant: writes also wake threads, and nobody expects those to fail.
CASES = [(call, "signal=SIGKILL") for call in CALLS]
CASES += [(call, f"error={code}") for call in ("fsync", "rename") for code in ("ENOSPC", "EIO")]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(STRACE is None, reason="strace is not installed"),
]


def injected(root: Path, call: str, fault: str, number: int) -> int:
    """Run the second night with the n-th ``call`` injected; return its exit status."""
    command = [
        str(STRACE), "-f", "-qq", "-o", os.devnull,
        "-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}",
        sys.executable, "-c", SCRIPT, str(root),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        command, env=environment, capture_output=True, timeout=240, cwd=ROOT, check=False
    ).returncode


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, dict]:
    root = tmp_path_factory.mktemp("clean") / "store"
    night(root, FIRST, "run-1")
    first = contents(root)
    night(root, SECOND, "run-2")
    second = contents(root)
    assert first is not None
    assert second is not None
    return first, second


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("call", "fault"), CASES)
def test_the_next_run_mends_it(tmp_path: Path, states, call: str, fault: str) -> None:
    first, second = states
    failed = 0
    for number in CALLS[call]:
        root = tmp_path / f"store-{number}"
        night(root, FIRST, "run-1")
        failed += injected(root, call, fault, number) != 0
        assert contents(root) in (first, second), f"torn at {call} {number}"
        night(root, SECOND, "run-2")
        assert contents(root) == second, f"differs after {call} {number}"
        shutil.rmtree(root)
    assert failed > 0, "no fault was injected: the numbers are beyond the calls made"
