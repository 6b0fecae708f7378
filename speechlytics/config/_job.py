"""Sections of the job: where results go, on which machines, and what leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from speechlytics.config._section import Positive, Section


class StoreConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where results go.

    Attributes:
        path: Folder, or URL of a place in a bucket (``s3://bucket/store``).
        key_file: Makes customer pseudonyms; ``<store>.key`` beside the store, for a bucket in the
            folder of the pipeline file.
        work: For a bucket: local folder of its lock, spool and catalog; a folder of the user's
            cache unless given.
        storage_options: What reaching a bucket needs, in delta-rs's names (``AWS_ENDPOINT_URL``,
            ``AWS_REGION``, …). Secrets are better left to the environment.
    """

    path: str = "store"
    key_file: str | None = None
    work: str | None = None
    storage_options: dict[str, str] = msgspec.field(default_factory=dict)

    @property
    def is_local(self) -> bool:
        """Whether the store is a folder of this machine."""
        return "://" not in self.path

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rstrip("/").rsplit("/", 1)[-1]

    @property
    def key_path(self) -> Path:
        """Where the key of the customer pseudonyms lies: beside a local store unless told."""
        if self.key_file is not None:
            return Path(self.key_file)
        beside = f"{self.name}.key"
        return Path(self.path).with_name(beside) if self.is_local else Path(beside).absolute()


class RayConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a Ray cluster is divided; 0 is chosen by the size of the cluster at the start.

    Attributes:
        address: ``host:port``, ``ray://…``, or ``local`` for one on this machine; without it
            ``RAY_ADDRESS``, else a cluster that runs here, else one started here.
        worker_cpus: CPUs that a decoding worker occupies; ``run.workers`` says how many.
        model_actors: Speech models: one per GPU, without GPU one per machine.
        model_cpus: CPUs of each, which are its threads too: with a GPU 1, else three quarters
            of the smallest machine.
        model_gpus: GPUs of each, where there are any.
        start_timeout_s: How long the cluster may give no worker at all.
    """

    address: str | None = None
    worker_cpus: Annotated[float, Meta(gt=0)] = 1.0
    model_actors: Annotated[int, Meta(ge=0)] = 0
    model_cpus: Annotated[float, Meta(ge=0)] = 0.0
    model_gpus: Annotated[float, Meta(gt=0)] = 1.0
    start_timeout_s: Positive = 600


class RunConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the batch job uses this machine and how patient it is."""

    workers: Annotated[int, Meta(ge=0)] = 0
    call_timeout_s: Positive = 600
    call_memory_mb: Positive = 2048
    attempts: Positive = 2
    publish_every_calls: Positive = 20_000
    publish_every_s: Positive = 900
    transcribe: bool = True
    runner: Literal["local", "ray"] = "local"
    ray: RayConfig = RayConfig()


class ExportConfig(Section, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One export that the nightly job writes when it is done."""

    what: str
    format: Literal["csv", "jsonl", "xlsx", "parquet"] = "csv"
    out: str
    new: bool = False
