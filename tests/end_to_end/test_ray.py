"""The night on a Ray cluster of two machines: the same store, whatever dies on the way.

The machines are two Ray nodes on this one (`ray.cluster_utils.Cluster`); the recordings, the
speech model and the store are real.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from speechlytics import config, nightly
from speechlytics.config import RayConfig
from speechlytics.nightly import _cluster
from speechlytics.nightly._cluster import crew
from speechlytics.runner import ActorNeeds, ClusterSize, Outcome, RayRunner, cluster
from speechlytics.transcribe import RayModel
from tests.end_to_end import cluster_faults
from tests.end_to_end.test_nightly import contents, write_wav
from tests.unit.test_runner import _behave

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
ray = pytest.importorskip(
    "ray", reason="RAY IS NOT INSTALLED, the cluster is not tested: pip install 'ray>=2.60,<3'"
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    # Ray leaves sockets and processes to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning:ray"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]

CALLS = 8
NODE = {"num_cpus": 2, "object_store_memory": 100 * 1024**2, "include_dashboard": False}


@pytest.fixture(scope="module")
def machines() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args=NODE)
    try:
        made.add_node(**NODE)
        ray.init(address=made.address, log_to_driver=False)
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.fixture
def second(machines: Any) -> Iterator[Any]:
    """The second machine, made anew if a test took it away."""
    if not machines.worker_nodes:
        machines.add_node(**NODE)
    machines.wait_for_nodes()
    (node,) = machines.worker_nodes
    yield node
    if not machines.worker_nodes:
        machines.add_node(**NODE)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calls")
    for number in range(CALLS):
        write_wav(folder / f"call{number}.wav", number)
        _describe(folder / f"call{number}.json")
    (folder / "broken.wav").write_bytes(b"RIFF" + b"\0" * 40)
    _describe(folder / "broken.json")
    return folder


def _describe(path: Path) -> None:
    path.write_text(json.dumps({"started_at": "2026-11-01T10:00:00", "agent_id": "A1"}))


def settings(recordings: Path, store: Path, runner: str) -> config.Config:
    return config.Config(
        source=config.SourceConfig(
            path=str(recordings), metadata=(config.MetadataSource(kind="sidecar"),)
        ),
        store=config.StoreConfig(path=str(store)),
        transcribe=config.TranscribeConfig(model="demo-prototype", languages=("ru",)),
        run=config.RunConfig(runner=runner, workers=1 if runner == "local" else 0),  # type: ignore[arg-type]  # a literal
    )


def night(recordings: Path, store: Path, progress: Any = None) -> nightly.Report:
    plan = settings(recordings, store, "ray")
    return nightly.run(plan, nightly.Selection(), progress=progress)


@pytest.fixture(scope="module")
def local(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    store = tmp_path_factory.mktemp("local") / "store"
    report = nightly.run(settings(recordings, store, "local"), nightly.Selection())
    assert report.counts == {"ok": CALLS, "failed": 1}
    return contents(store)


def workers(node: Any, name: str) -> list[int]:
    """Process ids of the actors of a class on one machine, by the titles that Ray gives them."""
    (raylet,) = node.all_processes["raylet"]
    listed = subprocess.run(
        ["ps", "-o", "pid=,args=", "--ppid", str(raylet.process.pid)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = [line.split(maxsplit=1) for line in listed.stdout.splitlines()]
    return [int(pid) for pid, title in lines if title.startswith(f"ray::{name}")]


def without(tables: dict[str, list[dict[str, Any]]], *names: str) -> dict[str, Any]:
    return {
        table: [row for row in rows if not row["call_id"].startswith(names)]
        for table, rows in tables.items()
    }


@pytest.fixture(scope="module")
def outcomes(machines: Any) -> dict[str, Outcome[str, str]]:
    items = ["a", "kill", "b", "raise", "segv", "hang", "c", "eat", "d", "e"]
    with cluster(), RayRunner(2, timeout_s=4, memory_mb=2048) as runner:
        return {outcome.item: outcome for outcome in runner.map(_behave, items)}


@pytest.mark.parametrize(
    ("item", "kind", "attempts"),
    [
        ("a", "ok", 1), ("b", "ok", 1), ("c", "ok", 1), ("d", "ok", 1), ("e", "ok", 1),
        ("kill", "crash", 2), ("segv", "crash", 2), ("hang", "timeout", 2), ("raise", "error", 1),
        ("eat", "memory", 1),
    ],
)  # fmt: skip
def test_the_guilty_item_alone_fails_and_says_how(
    outcomes: dict[str, Outcome[str, str]], item: str, kind: str, attempts: int
) -> None:
    assert (outcomes[item].kind, outcomes[item].attempts) == (kind, attempts)
    assert outcomes[item].result == (item.upper() if kind == "ok" else None)


def test_items_are_taken_only_as_fast_as_outcomes_are_consumed(machines: Any) -> None:
    taken: list[str] = []

    def items() -> Iterator[str]:
        for number in range(20):
            taken.append(f"x{number}")
            yield taken[-1]

    with cluster(), RayRunner(2) as runner:
        stream = runner.map(_behave, items())
        for consumed in range(1, 6):
            next(stream)
            assert len(taken) <= consumed + 2
        assert len(list(stream)) == 15


def test_the_cluster_makes_the_same_store_row_for_row(
    second: Any, recordings: Path, local: dict[str, Any], tmp_path: Path
) -> None:
    report = night(recordings, tmp_path / "store")
    assert report.counts == {"ok": CALLS, "failed": 1}
    assert [failure.call_id for failure in report.failures] == ["broken"]
    assert contents(tmp_path / "store") == local


def test_killed_actors_and_poison_calls_cost_nobody_else(
    second: Any,
    recordings: Path,
    local: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = tmp_path / "calls"
    folder.mkdir()
    for path in recordings.iterdir():
        (folder / path.name).symlink_to(path)
    for number, name in enumerate((cluster_faults.POISON, cluster_faults.POISON_MODEL)):
        write_wav(folder / f"{name}.wav", 20 + number)
        _describe(folder / f"{name}.json")
    monkeypatch.setattr(_cluster, "RayRunner", cluster_faults.PoisonedRunner)
    load = cluster_faults.load_poisoned
    monkeypatch.setattr(_cluster, "RayModel", functools.partial(RayModel, load_engine=load))
    killed = []

    def kill(finished: int, call_id: str) -> None:
        name = {2: "Worker", 4: "ModelActor"}.get(finished)
        if name:
            killed.append(workers(second, name)[0])
            os.kill(killed[-1], signal.SIGKILL)

    report = night(folder, tmp_path / "store", kill)
    assert len(killed) == 2
    assert report.counts == {"ok": CALLS, "failed": 3}
    errors = {failure.call_id: failure.error for failure in report.failures}
    assert errors.keys() == {"broken", cluster_faults.POISON, cluster_faults.POISON_MODEL}
    assert "died" in errors[cluster_faults.POISON]
    assert "SIGKILL" in errors[cluster_faults.POISON_MODEL]
    assert without(contents(tmp_path / "store"), "poison") == local


def test_a_machine_that_leaves_takes_no_call_with_it(
    machines: Any, second: Any, recordings: Path, local: dict[str, Any], tmp_path: Path
) -> None:
    def leave(finished: int, call_id: str) -> None:
        if finished == 1:
            assert workers(second, "ModelActor"), "it has a part in the night"
            machines.remove_node(second, allow_graceful=False)

    report = night(recordings, tmp_path / "store", leave)
    assert report.counts == {"ok": CALLS, "failed": 1}
    assert contents(tmp_path / "store") == local


@pytest.mark.parametrize(
    ("ray_keys", "size", "device", "models", "model", "workers_"),
    [
        ({}, ClusterSize((16.0, 16.0), 0), "auto", 2, ActorNeeds(12.0), 8),
        ({}, ClusterSize((16.0, 16.0), 2), "auto", 2, ActorNeeds(1.0, 1.0), 30),
        ({}, ClusterSize((16.0, 16.0), 2), "cpu", 2, ActorNeeds(12.0), 8),
        ({"model_gpus": 0.5}, ClusterSize((8.0,), 1), "cuda", 2, ActorNeeds(1.0, 0.5), 6),
        ({"model_actors": 3, "model_cpus": 2}, ClusterSize((8.0,), 0), "cpu", 3, ActorNeeds(2), 2),
        ({}, ClusterSize((0.0, 16.0, 16.0), 0), "auto", 2, ActorNeeds(12.0), 8),
        ({}, ClusterSize((8.0, 8.0), 2), None, 0, ActorNeeds(0.0), 16),
    ],
)  # fmt: skip
def test_a_cluster_is_divided(
    ray_keys: dict[str, Any],
    size: ClusterSize,
    device: str | None,
    models: int,
    model: ActorNeeds,
    workers_: int,
) -> None:
    made = crew(RayConfig(**ray_keys), size, workers=0, device=device)
    assert (made.models, made.model, made.workers) == (models, model, workers_)
