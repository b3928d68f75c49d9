"""Models beside one another on the wire."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from storage.pairs import Missing

from .board_schemas import Column, Row, Ties
from .pair_schemas import PairInterval
from .schemas import Wire


class Difference(Wire):
    """How far a model is above another on a benchmark; `reason` says why there is no difference, or no interval."""

    benchmark: str
    base: str
    model: str
    difference: float | None = Field(description="Raw of the model less raw of the base.")
    percent: float | None = Field(description="The difference in per cent of the base; null where that is not above 0.")
    interval: PairInterval | None
    reason: Missing | None


class Comparison(Wire):
    """Two to four models, in the order they were named. Ranks and ties are of these models alone."""

    object: Literal["comparison"] = "comparison"
    protocol: str
    snapshot: datetime | None = Field(description="When the newest of the scores came.")
    average_unit: Literal["raw", "normalised"] = Field(description="What averages are of.")
    ties: Ties
    columns: list[Column]
    data: list[Row]
    differences: list[Difference]
    absent: list[str] = Field(description="Models without a score under this protocol.")
