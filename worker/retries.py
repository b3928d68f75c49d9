"""When a failed attempt is repeated."""

from __future__ import annotations

import random

MAX_BACKOFF_S = 15 * 60


def backoff_s(attempt: int, *, first_s: float) -> float:
    """Seconds to wait after the `attempt`-th failure: doubling, at most 15 minutes, give or take a fifth.

    The scatter keeps runs that failed together, because the hub was away, from coming back together.
    """
    return min(first_s * 2.0 ** (attempt - 1), MAX_BACKOFF_S) * random.uniform(0.8, 1.2)
