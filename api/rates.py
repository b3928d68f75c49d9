"""How many requests a client may send: a bucket of tokens each, filled at a constant rate. In this process only."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

MAX_BUCKETS = 10_000
"""Clients remembered at once; the one that was silent for longest is forgotten, and finds a full bucket next time."""


class Rates:
    """`rate_per_s` requests a second in the long run, `burst` at once; a rate of 0 is no limit."""

    def __init__(
        self,
        rate_per_s: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_buckets: int = MAX_BUCKETS,
    ) -> None:
        self._rate_per_s = rate_per_s
        self._burst = float(burst)
        self._clock = clock
        self._max_buckets = max_buckets
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def wait_s(self, client: str) -> float:
        """Takes a token from a client's bucket and gives 0, or takes none and gives the seconds until there is one."""
        if self._rate_per_s <= 0:
            return 0.0
        now = self._clock()
        tokens, at = self._buckets.pop(client, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate_per_s)
        is_enough = tokens >= 1.0
        self._buckets[client] = (tokens - 1.0 if is_enough else tokens, now)
        if len(self._buckets) > self._max_buckets:
            self._buckets.popitem(last=False)
        return 0.0 if is_enough else (1.0 - tokens) / self._rate_per_s
