"""Workers as they are stored, made into what is sent."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from pydantic import Field

from storage.runs import Run
from storage.workers import Worker as StoredWorker

from .schemas import Wire


class WorkerRun(Wire):
    """A run that a worker holds. Whose it is and of which model is told with its job, to those who may see it."""

    id: str
    benchmark: str | None = Field(description="Null where it is private, or asked for by private jobs of others alone.")
    protocol: str
    attempt: int
    stage: str | None
    fraction: float


class Worker(Wire):
    """A worker process, what it can serve, and what it is doing."""

    object: Literal["worker"] = "worker"
    id: str
    host: str
    device: str
    device_class: Literal["cpu", "gpu"]
    memory_bytes: int | None = Field(description="What it has for models; null where nothing tells.")
    version: str | None
    started_at: datetime
    seen_at: datetime
    alive: bool = Field(description="Whether it was heard of lately.")
    runs: list[WorkerRun]


def worker_view(worker: StoredWorker, held: Sequence[Run], *, told: Collection[str], is_alive: bool) -> Worker:
    """The worker as it is sent, with the runs that it holds; `told` are the ids of those whose benchmark is shown."""
    return Worker(
        id=worker.id,
        host=worker.host,
        device=worker.device,
        device_class="gpu" if worker.device_class == "gpu" else "cpu",
        memory_bytes=worker.memory_bytes,
        version=worker.version,
        started_at=worker.started_at,
        seen_at=worker.seen_at,
        alive=is_alive,
        runs=[
            WorkerRun(
                id=run.id,
                benchmark=run.benchmark if run.id in told else None,
                protocol=run.protocol,
                attempt=run.attempt,
                stage=run.stage,
                fraction=run.fraction,
            )
            for run in held
        ],
    )
