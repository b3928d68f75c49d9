"""Models beside one another as the server answers it."""

from __future__ import annotations

from .board import Column, LeaderboardRow, Ties
from .results import Interval, Result


class Difference(Result):
    """Raw of `model` less raw of `base` on a benchmark; `reason` says why there is none, or no interval of it."""

    benchmark: str
    base: str
    model: str
    difference: float | None = None
    percent: float | None = None
    interval: Interval | None = None
    reason: str | None = None


class Comparison(Result):
    """Models in the order they were named; `absent` are those without a score under the protocol."""

    protocol: str
    columns: tuple[Column, ...] = ()
    data: tuple[LeaderboardRow, ...] = ()
    differences: tuple[Difference, ...] = ()
    absent: tuple[str, ...] = ()
    snapshot: str | None = None
    average_unit: str | None = None
    ties: Ties | None = None
