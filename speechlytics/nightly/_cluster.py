"""A night on a Ray cluster: workers that decode and measure, actors that hold the speech model.

The driver plans, concludes the calls and is the only one that writes.
"""

from __future__ import annotations

import contextlib
import logging
import math
from dataclasses import dataclass

from speechlytics.config import Config, RayConfig
from speechlytics.runner import ActorNeeds, ClusterSize, RayRunner, cluster
from speechlytics.transcribe import EngineSettings, RayModel

log = logging.getLogger("speechlytics.run")

MODEL_SHARE = 0.75  # of a machine without GPU: the speech model is nearly all of the work


@dataclass(frozen=True, slots=True)
class Crew:
    """How many actors of each kind, and what each occupies."""

    models: int
    model: ActorNeeds
    workers: int
    worker: ActorNeeds


def crew(ray: RayConfig, size: ClusterSize, *, workers: int, device: str | None) -> Crew:
    """Divide a cluster: what is configured, else by its size.

    Args:
        ray: Settings; 0 leaves a number to this function.
        size: What the cluster has now.
        workers: Configured number of workers, 0 for as many as fit.
        device: Of the speech model, ``None`` when there is none tonight.
    """
    worker = ActorNeeds(cpus=ray.worker_cpus)
    if device is None:
        model, models = ActorNeeds(0.0), 0
    else:
        on_gpu = device != "cpu" and size.gpus >= ray.model_gpus
        machines = [cpus for cpus in size.node_cpus if cpus > 0]  # a head may lend none
        smallest = min(machines, default=1.0)
        cpus = ray.model_cpus or (1.0 if on_gpu else max(0.5, math.floor(MODEL_SHARE * smallest)))
        model = ActorNeeds(cpus, ray.model_gpus if on_gpu else 0.0)
        found = size.gpus // ray.model_gpus if on_gpu else len(machines)
        models = ray.model_actors or max(1, int(found))
    left = size.cpus - models * model.cpus
    return Crew(models, model, workers or max(1, int(left // worker.cpus)), worker)


def join(
    config: Config, engine: EngineSettings | None, stack: contextlib.ExitStack
) -> tuple[RayRunner, RayModel | None]:
    """Join the cluster and take on the actors; the stack lets them go.

    Raises:
        ConfigError: Ray is not installed.
        RunnerError: the cluster cannot be reached.
        TranscriptionError: no machine of it can load the model.
    """
    run = config.run
    size = stack.enter_context(cluster(run.ray.address))
    device = None if engine is None else config.transcribe.device
    wanted = crew(run.ray, size, workers=run.workers, device=device)
    log.info(
        "cluster of %d machines: %d workers, %d speech models",
        len(size.node_cpus),
        wanted.workers,
        wanted.models,
    )
    model = None
    if engine is not None:
        model = stack.enter_context(
            RayModel(engine, actors=wanted.models, cpus=wanted.model.cpus, gpus=wanted.model.gpus)
        )
    runner = stack.enter_context(
        RayRunner(
            wanted.workers,
            needs=wanted.worker,
            timeout_s=run.call_timeout_s,
            memory_mb=run.call_memory_mb,
            attempts=run.attempts,
            start_timeout_s=run.ray.start_timeout_s,
        )
    )
    return runner, model
