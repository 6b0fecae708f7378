"""The cluster files are valid, of the right kind, and every command in them exists."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from speechlytics.cli import app

PIPELINES = Path(__file__).parents[2] / "pipelines"
FILES = ("ray/cluster.yaml", "kubernetes/rayjob.yaml", "kubernetes/cronjob.yaml")
COMMAND = re.compile(r"\bspeechlytics ((?:run|models|init|status|doctor)\b[^\n`'\";)]*)")


def document(name: str) -> Any:
    return yaml.safe_load((PIPELINES / name).read_text(encoding="utf-8"))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


def containers(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield from value.get("containers", ())
        for inner in value.values():
            yield from containers(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from containers(inner)


def test_kinds() -> None:
    cluster = document("ray/cluster.yaml")
    assert cluster["cluster_name"] == "speechlytics"
    assert {"type", "head_ip", "worker_ips"} <= cluster["provider"].keys()
    assert cluster["max_workers"] == len(cluster["provider"]["worker_ips"])
    job = document("kubernetes/rayjob.yaml")
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cron = document("kubernetes/cronjob.yaml")
    assert (cron["apiVersion"], cron["kind"]) == ("batch/v1", "CronJob")
    assert cron["spec"]["concurrencyPolicy"] == "Forbid"
    assert len(cron["spec"]["schedule"].split()) == 5


@pytest.mark.parametrize("name", FILES[1:])
def test_image_is_the_readers_own_and_mounts_are_declared(name: str) -> None:
    found = list(containers(document(name)))
    assert found
    for container in found:
        assert container["image"] == "${SPEECHLYTICS_IMAGE}"
    for template in _pod_specs(document(name)):
        declared = {volume["name"] for volume in template.get("volumes", ())}
        used = {m["name"] for c in template["containers"] for m in c.get("volumeMounts", ())}
        assert used == declared


def _pod_specs(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "containers" in value:
            yield value
        for inner in value.values():
            yield from _pod_specs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _pod_specs(inner)


@pytest.mark.parametrize("name", FILES)
def test_commands_exist(name: str) -> None:
    text = (PIPELINES / name).read_text(encoding="utf-8")
    commands = [match.group(1) for match in COMMAND.finditer(text)]
    assert any(command.startswith("run") for command in commands)
    root = typer.main.get_command(app)
    for command in commands:
        words = shlex.split(command.split(" & ")[0])
        group: Any = root
        while words and hasattr(group, "commands") and words[0] in group.commands:
            group = group.commands[words.pop(0)]
        assert not hasattr(group, "commands"), command
        known = {option for parameter in group.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, command


@pytest.mark.parametrize(("code", "ends"), [(0, 0), (3, 0), (1, 1), (4, 4)])
def test_failed_calls_are_no_failed_job(code: int, ends: int, tmp_path: Path) -> None:
    """Exit code 3 (some calls failed, listed) must not start the night again."""
    program = tmp_path / "speechlytics"
    program.write_text(f"#!/bin/sh\nexit {code}\n")
    program.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    entry = document("kubernetes/rayjob.yaml")["spec"]["entrypoint"]
    assert subprocess.run(["sh", "-c", entry], env=path, check=False).returncode == ends
    (container,) = containers(document("kubernetes/cronjob.yaml"))
    command = [*container["command"], *container["args"]]
    assert subprocess.run(command, env=path, check=False).returncode == ends


@pytest.mark.slow
def test_ray_understands_its_commands() -> None:
    pytest.importorskip("ray", reason="RAY IS NOT INSTALLED: pip install 'ray>=2.60,<3'")
    cluster = document("ray/cluster.yaml")
    lines = cluster["head_start_ray_commands"] + cluster["worker_start_ray_commands"]
    options = {word for line in lines for word in re.findall(r"(--[a-z-]+)", line)}
    said = subprocess.run(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--help"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert options
    assert all(option in said.stdout for option in options), said.stderr
