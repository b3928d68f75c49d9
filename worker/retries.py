"""Whether a failed attempt is repeated, when, and by what kind of worker."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from storage.runs import Need, Run
from storage.workers import Worker

from .exchange import Failure
from .settings import WorkerSettings

MAX_BACKOFF_S = 15 * 60
MAX_HALVINGS = 1
"""How often a run that memory did not suffice for is tried with half the batch."""

OTHER_FORMAT = {"cpu": ("gpu", 0.5), "gpu": ("cpu", 2.0)}
"""The other class of workers, and a model's bytes there for each one here, where the worker chooses the dtype."""


@dataclass(frozen=True, kw_only=True)
class Again:
    """How a run is repeated: after how long, with what need, and whether the attempt is given back."""

    delay_s: float = 0.0
    refund_attempt: bool = False
    need: Need | None = None


def again(run: Run, failure: Failure, settings: WorkerSettings) -> Again | None:
    """How a run is repeated that failed so; None where that would not help.

    Out of memory: once more with half the batch, however many attempts there were. What may pass by itself: after a
    pause, while attempts are left. All else would fail again.
    """
    if failure.code == "out_of_memory":
        return Again(need=Need(n_halvings=run.n_halvings + 1)) if run.n_halvings < MAX_HALVINGS else None
    if failure.retryable and run.attempt < settings.max_attempts:
        pause_s = backoff_s(run.attempt, first_s=settings.backoff_s)
        return Again(delay_s=max(failure.retry_after_s, pause_s))
    return None


def may_pass(failure: Failure, here: Worker | None) -> bool:
    """Whether a model is too large for the memory that is free now, and not for what this worker announced."""
    return here is not None and failure.needed_bytes is not None and failure.needed_bytes <= (here.memory_bytes or 0)


def elsewhere(run: Run, failure: Failure, here: Worker, others: Sequence[Worker]) -> Again | None:
    """How a run goes to a live worker that has the memory for a model too large for this one; None without one.

    A worker of the other class is taken where the dtype is the worker's choice, with the bytes that its choice needs.
    What this worker announced itself is sought nowhere else: each step leads to a worker with more, so there is an end.
    """
    if failure.needed_bytes is None or max(run.min_memory_bytes or 0, here.memory_bytes or 0) >= failure.needed_bytes:
        return None
    room = {worker.id: worker.memory_bytes or 0 for worker in others if worker.id != here.id}
    needed = failure.needed_bytes
    if any(one.device_class == here.device_class and room.get(one.id, 0) >= needed for one in others):
        return Again(refund_attempt=True, need=Need(min_memory_bytes=needed))
    other_class, factor = OTHER_FORMAT[here.device_class]
    if run.options.get("dtype", "auto") != "auto":
        factor = 1.0
    needed = int(needed * factor)
    fits = any(one.device_class == other_class and room.get(one.id, 0) >= needed for one in others)
    if fits and run.device_class in (None, other_class) and (run.min_memory_bytes or 0) < needed:
        return Again(refund_attempt=True, need=Need(min_memory_bytes=needed, device_class=other_class))
    return None


def backoff_s(attempt: int, *, first_s: float) -> float:
    """Seconds to wait after the `attempt`-th failure: doubling, at most 15 minutes, give or take a fifth.

    The scatter keeps runs that failed together, because the hub was away, from coming back together.
    """
    return min(first_s * 2.0 ** (attempt - 1), MAX_BACKOFF_S) * random.uniform(0.8, 1.2)
