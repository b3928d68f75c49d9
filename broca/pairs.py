"""Tuned models beside what they were made from, as the server answers it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Result
from .scores import Interval


class CurvePoint(Result):
    """A point of a layer curve; `depth` is relative, 0 the first layer and 1 the last."""

    name: str
    depth: float
    raw: float | None = None


class PairSide(Result):
    """The score of one of the two, with its layer curve."""

    score: str | None = None
    raw: float
    normalised: float | None = None
    layers: tuple[CurvePoint, ...] = ()


class PairBenchmark(Result):
    """The two on one benchmark; `reason` says why there is no difference, or no interval of it."""

    benchmark: str
    base: PairSide | None = None
    tuned: PairSide | None = None
    difference: float | None = None
    percent: float | None = None
    interval: Interval | None = None
    reason: str | None = None

    def wide_row(self) -> Mapping[str, Any]:
        """The two and their difference, with its interval."""
        return {
            "base_raw": None if self.base is None else self.base.raw,
            "tuned_raw": None if self.tuned is None else self.tuned.raw,
            "difference": self.difference,
            "percent": self.percent,
            "low": None if self.interval is None else self.interval.low,
            "high": None if self.interval is None else self.interval.high,
            "reason": self.reason,
        }


class Pair(Result):
    """A scored model and a scored one of its ancestors; `between` are the ancestors between the two."""

    base: str
    tuned: str
    tuning: str | None = None
    hops: int
    between: tuple[str, ...] = ()
    source: str | None = None
    benchmarks: tuple[PairBenchmark, ...] = ()

    def wide_row(self) -> Mapping[str, Any]:
        """The pair in one row: `<benchmark>_difference`, `<benchmark>_low` and so on for each benchmark."""
        cells = {f"{one.benchmark}_{name}": value for one in self.benchmarks for name, value in one.wide_row().items()}
        return {**self._of(), **cells}

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """A row a benchmark."""
        return tuple({**self._of(), "benchmark": one.benchmark, **one.wide_row()} for one in self.benchmarks)

    def _of(self) -> Mapping[str, Any]:
        return {"base": self.base, "tuned": self.tuned, "tuning": self.tuning, "hops": self.hops}
