"""Shapes on the wire of the leaderboard."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from storage.board_history import Cause

from .schemas import Wire
from .score_schemas import Interval


class Column(Wire):
    """A column of the board; `unit` is `normalised` where every row of the board has a ceiling, else `raw`."""

    key: str
    label: str
    help: str
    unit: Literal["normalised", "raw"]


class BoardModel(Wire):
    """The model of a row; what no worker has found out is null."""

    id: str
    hub_id: str | None = Field(default=None, description="Of a published row: the model's id on the hub.")
    revision: str
    family: str | None
    architecture: str | None
    parameters: int | None
    n_layers: int | None
    width: int | None
    tuning: str | None
    properties: dict[str, float | None] = Field(description="Those that were asked for; null where it is not known.")


class Cell(Wire):
    """A value in the column's unit; `flags` are codes of warnings that baselines give."""

    value: float
    interval: Interval | None
    score: str | None = Field(description="The score's id; null in a published row.")
    flags: list[str]


class MissingCell(Wire):
    """No value, and the code that says why."""

    value: None
    missing: str


class Row(Wire):
    """A model, or with `all` one of its revisions, dtypes and sets of options."""

    rank: int | None
    rank_interval: list[int] | None = Field(description="The best and the worst rank that it may have.")
    tie_group: int | None = Field(description="Rows of one group are not surely different from its best.")
    model: BoardModel
    dtype: str | None = Field(description="Null in a published row.")
    options: dict[str, Any]
    average: float | None = Field(description="Mean over the columns; null unless all are there.")
    coverage: int = Field(description="How many of the columns are there.")
    scores: dict[str, Cell | MissingCell]


class Ties(Wire):
    """What rank intervals and tie groups are of: the average or a benchmark, at which level, among how many models.

    `n_unpaired` of them have a score without draws that are paired with those of most others, and are compared as if
    independent; `reason` says why nobody has an interval.
    """

    of: str
    level: float
    n_models: int
    n_unpaired: int
    reason: str | None


class Leaderboard(Wire):
    """Models beside one another under one protocol. Ranks count from the greatest value."""

    object: Literal["leaderboard"] = "leaderboard"
    protocol: str
    provenance: Literal["measured", "published"] = Field(
        default="measured", description="Whether scores were measured here, or printed by others: never both."
    )
    source: str | None = Field(default=None, description="Where published rows are printed.")
    snapshot: datetime | None = Field(description="When the newest score on it came: asks for this board again.")
    average_unit: Literal["raw", "normalised"] = Field(description="What averages are of.")
    ties: Ties
    columns: list[Column]
    data: list[Row]
    next_page_token: str | None


class Snapshot(Wire):
    """A time at which scores came, and how many, of how many models and benchmarks."""

    object: Literal["snapshot"] = "snapshot"
    snapshot: datetime
    n_scores: int
    n_models: int
    n_benchmarks: int


class BoardPlace(Wire):
    """A model's rank and average at one time; null where it had none."""

    rank: int | None
    average: float | None


class BoardScore(Wire):
    """A score as it stood in a cell."""

    score: str
    raw: float
    normalised: float | None
    benchmark_version: int
    revision: str


class CellChange(Wire):
    """A cell before and after, and the code of what changed it."""

    benchmark: str
    cause: Cause
    before: BoardScore | None
    after: BoardScore | None


class BoardChange(Wire):
    """A model whose cells, average or rank are others; without `changes` it was moved by the scores of others."""

    model: str
    before: BoardPlace | None
    after: BoardPlace | None
    changes: list[CellChange]


class BoardDiff(Wire):
    """What changed on the leaderboard of a protocol between two times."""

    object: Literal["leaderboard_diff"] = "leaderboard_diff"
    protocol: str
    from_: datetime | None = Field(
        serialization_alias="from", description="When the newest score on the first board came."
    )
    to: datetime | None = Field(description="The same of the second.")
    n_changes: int = Field(description="Models that changed, on all pages.")
    data: list[BoardChange]
    next_page_token: str | None
