"""Watching over a child process: its time, its memory, how much it says, and what its end means."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from .child import ENDING_S, MAX_OUTPUT_BYTES, Child
from .exchange import Failure, Progress
from .processes import kernel_kills

TURN_S = 0.25
"""How long a line is waited for before the watch looks at everything else."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a child may take, together with all that it starts; None: as much memory as there is."""

    timeout_s: float
    memory_bytes: int | None


def attend(child: Child, limits: Limits, *, each_turn: Callable[[list[Progress]], bool]) -> Failure:
    """Let a child work until it ends or goes beyond a limit, and end it for certain.

    `each_turn` is given the lines that came, many times a second, and says whether more is waited for: if not, the
    child has a few seconds to end. The answer says what became of it, for runs that it left without an answer.
    """
    deadline, n_kills = time.monotonic() + limits.timeout_s, kernel_kills()
    try:
        while (lines := child.read(timeout_s=TURN_S)) is not None:
            if not each_turn(lines):
                deadline = min(deadline, time.monotonic() + ENDING_S)
            if (beyond := _beyond(child, limits, deadline)) is not None:
                return beyond
    finally:
        child.close()
    return _crash(child, n_kills)


def _beyond(child: Child, limits: Limits, deadline: float) -> Failure | None:
    """The limit that a child has gone beyond."""
    if time.monotonic() > deadline:
        return Failure(code="timeout", detail=f"the run took longer than {limits.timeout_s:.0f} s")
    if limits.memory_bytes is not None and (held := child.memory_bytes()) > limits.memory_bytes:
        return _out_of_memory(f"it held {held} bytes, and {limits.memory_bytes} are allowed")
    if child.n_printed > MAX_OUTPUT_BYTES:
        return Failure(
            code="worker_lost", detail=f"the process printed more than {MAX_OUTPUT_BYTES} bytes", retryable=True
        )
    return None


def _crash(child: Child, n_kills_before: int | None) -> Failure:
    """What the end of a child means that left no answer: memory, where the kernel has killed for want of it meanwhile.

    Where the kernel does not say whether it did, SIGKILL is taken for it.
    """
    if child.was_killed and (n_kills_before is None or (kernel_kills() or 0) > n_kills_before):
        return _out_of_memory("the kernel killed it")
    return Failure(
        code="worker_lost",
        detail=f"the process ended before its answer was there: {child.ending}",
        hint="the model may need more memory than this worker has",
        retryable=True,
    )


def _out_of_memory(how: str) -> Failure:
    return Failure(
        code="out_of_memory",
        detail=f"the process took more memory than this worker has: {how}",
        hint="take a worker with more memory, or dtype bfloat16",
    )
