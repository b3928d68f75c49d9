"""The leaderboard as the server answers it, as frozen values with the wire's own names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .base import ModelRef, Result
from .scores import Interval
from .tables import from_rows

if TYPE_CHECKING:
    import pandas as pd


FIXED = (
    "rank",
    "model",
    "revision",
    "dtype",
    "family",
    "parameters",
    "average",
    "tuning",
    "coverage",
    "rank_low",
    "rank_high",
    "tie_group",
)
"""Columns of the wide table before those of benchmarks."""

OF_CELLS = ("value", "low", "high", "level", "missing", "flags", "score")
LONG = ("model", "revision", "rank", "benchmark", "unit", *OF_CELLS)
"""Columns of the long table."""


class Column(Result):
    """A column of the leaderboard and what its cells show."""

    key: str
    label: str | None = None
    help: str | None = None
    unit: str | None = None


class Cell(Result):
    """A value with codes of warnings (`flags`), or None and the code that says why (`missing`)."""

    value: float | None = None
    interval: Interval | None = None
    score: str | None = None
    missing: str | None = None
    flags: tuple[str, ...] = ()

    def wide_row(self) -> Mapping[str, Any]:
        """The value with its interval, or why there is none."""
        interval = self.interval
        return {
            "value": self.value,
            "low": None if interval is None else interval.low,
            "high": None if interval is None else interval.high,
            "level": None if interval is None else interval.level,
            "missing": self.missing,
            "flags": ";".join(self.flags) or None,
            "score": self.score,
        }


class BoardModel(ModelRef):
    """A model of the leaderboard; `hub_id` is its id on the hub where `id` is a paper's name.

    `properties` are those that were asked for.
    """

    hub_id: str | None = None
    family: str | None = None
    architecture: str | None = None
    n_layers: int | None = None
    width: int | None = None
    tuning: str | None = None
    properties: dict[str, float | None] = Field(default_factory=dict)


class LeaderboardRow(Result):
    """A model's place; equal values share a rank.

    `rank_interval` holds the ranks it may have, and rows of one `tie_group` are not surely different from its best.
    `coverage` counts the columns that have a value.
    """

    model: BoardModel
    rank: int | None = None
    rank_interval: tuple[int, int] | None = None
    tie_group: int | None = None
    dtype: str | None = None
    average: float | None = None
    coverage: int | None = None
    scores: dict[str, Cell] = Field(default_factory=dict)

    def places(self) -> Mapping[str, Any]:
        """Everything but the cells, under the names of the API's CSV."""
        low, high = self.rank_interval or (None, None)
        return {
            "rank": self.rank,
            "model": self.model.id,
            "revision": self.model.revision,
            "dtype": self.dtype,
            "family": self.model.family,
            "parameters": self.model.parameters,
            "average": self.average,
            "tuning": self.model.tuning,
            "coverage": self.coverage,
            "rank_low": low,
            "rank_high": high,
            "tie_group": self.tie_group,
        }


class Ties(Result):
    """What rank intervals and tie groups are of; `reason` says why there are none."""

    of: str
    level: float | None = None
    n_models: int | None = None
    n_unpaired: int | None = None
    reason: str | None = None


class Leaderboard(Result):
    """Models in the order asked for, under one protocol.

    `snapshot` is when the newest score on it came, `source` where published rows are printed.
    """

    protocol: str
    provenance: str | None = None
    source: str | None = None
    columns: tuple[Column, ...] = ()
    data: tuple[LeaderboardRow, ...] = ()
    snapshot: str | None = None
    average_unit: str | None = None
    ties: Ties | None = None

    def frame(self) -> pd.DataFrame:
        """A pandas frame, a row a model: the columns of the API's CSV, in its order. Raises PackageMissing.

        Each benchmark has `<name>_raw` or `<name>_normalised`, whichever the leaderboard shows, with its interval
        (`<name>_raw_low`, `<name>_raw_high`, or those of the other), `<name>_missing` and `<name>_flags`.
        """
        return from_rows([self._wide(row) for row in self.data], self._names())

    def long(self) -> pd.DataFrame:
        """A pandas frame, a row a model and benchmark: value, interval, reason. Raises PackageMissing."""
        return from_rows([cells for row in self.data for cells in self._cells(row)], LONG)

    def _names(self) -> list[str]:
        shown = [(column.key, column.unit or "value") for column in self._shown()]
        of_columns = [
            f"{key}_{kind}" for key, unit in shown for kind in (unit, "missing", "flags", f"{unit}_low", f"{unit}_high")
        ]
        return [*FIXED, *self._properties(), *of_columns]

    def _properties(self) -> list[str]:
        """The properties that were asked for and have no column in every table."""
        asked = dict.fromkeys(name for row in self.data for name in row.model.properties)
        return [name for name in asked if name not in FIXED]

    def _shown(self) -> list[Column]:
        known = {name for row in self.data for name in row.scores}
        return [column for column in self.columns if column.key in known]

    def _wide(self, row: LeaderboardRow) -> Mapping[str, Any]:
        found = {**row.places(), **{name: row.model.properties.get(name) for name in self._properties()}}
        for column in self._shown():
            one = row.scores.get(column.key, Cell())
            shown = column.unit or "value"
            found[f"{column.key}_{shown}"] = one.value
            found[f"{column.key}_missing"] = one.missing
            found[f"{column.key}_flags"] = ";".join(one.flags) or None
            low, high = (None, None) if one.interval is None else (one.interval.low, one.interval.high)
            found |= {f"{column.key}_{shown}_low": low, f"{column.key}_{shown}_high": high}
        return found

    def _cells(self, row: LeaderboardRow) -> list[Mapping[str, Any]]:
        of = {"model": row.model.id, "revision": row.model.revision, "rank": row.rank}
        return [
            {**of, "benchmark": column.key, "unit": column.unit, **row.scores.get(column.key, Cell()).wide_row()}
            for column in self._shown()
        ]


class Snapshot(Result):
    """A time at which scores came: the leaderboard as it stood then."""

    snapshot: str
    n_scores: int = 0
    n_models: int = 0
    n_benchmarks: int = 0


class Place(Result):
    """A model's rank and average at one time."""

    rank: int | None = None
    average: float | None = None


class CellScore(Result):
    """A score as it stood in a cell."""

    score: str
    raw: float
    normalised: float | None = None
    benchmark_version: int | None = None
    revision: str | None = None


class CellChange(Result):
    """A cell before and after; `cause` is the code of what changed it."""

    benchmark: str
    cause: str
    before: CellScore | None = None
    after: CellScore | None = None


class BoardChange(Result):
    """A model that changed; without `changes` the scores of others moved it."""

    model: str
    before: Place | None = None
    after: Place | None = None
    changes: tuple[CellChange, ...] = ()
