"""Two columns of models against one another: what is asked, and the shape of the answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.analysis.table import AVERAGE, SIZE, Filters

from .chart_schemas import ChartQuery
from .csv_tables import table
from .requests import LongText, Name, listed
from .schemas import Wire
from .score_schemas import Interval


class ScatterFilter(BaseModel):
    """Which two columns are meant, and of which models."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score.")
    x: Name = Field(default=SIZE, description="A benchmark, `average` or a property of models.")
    y: Name = Field(default=AVERAGE, description="The same, upwards.")
    family: LongText | None = Field(default=None, description="Only models of one of these, separated by commas.")
    tuning: LongText | None = Field(
        default=None, description="Only models of one of these tunings, separated by commas."
    )
    params_min: int | None = Field(default=None, ge=1, le=2**53, description="Only models of so many parameters.")
    params_max: int | None = Field(default=None, ge=1, le=2**53, description="Only models of at most so many.")

    def filters(self) -> Filters:
        """Which models pass."""
        return Filters(
            families=listed(self.family or ""),
            tunings=listed(self.tuning or ""),
            parameters_min=self.params_min,
            parameters_max=self.params_max,
        )


class ScatterQuery(ScatterFilter):
    """Which two columns, of which models, and how they are written."""

    format: Literal["json", "csv"] | None = Field(
        default=None, description="The answer's format; when absent, the header Accept decides."
    )


class ScatterChartQuery(ScatterFilter, ChartQuery):
    """Which points are drawn."""


class Coefficient(Wire):
    """Pearson's r over `n` models from `n_bases` bases. `p` and `independent` take models for independent."""

    r: float
    p: float
    n: int
    n_bases: int
    interval: Interval | None
    interval_reason: str | None
    independent: Interval | None


class Line(Wire):
    """The line of least squares: y = `intercept` + `slope` · x."""

    slope: float
    intercept: float


class ScatterPoint(Wire):
    """A model that has both values."""

    model: str
    family: str | None
    tuning: str | None
    base: str | None = Field(description="The scored ancestor that is furthest back.")
    x: float
    y: float


class ScatterNote(Wire):
    """Something that limits what the coefficient says."""

    code: str
    detail: str


class Scatter(Wire):
    """Two columns of the models under one protocol. Scores are raw; `reason` says why there is no coefficient."""

    object: Literal["scatter"] = "scatter"
    protocol: str
    provenance: Literal["measured", "published"]
    source: str | None
    x: str
    y: str
    columns: list[str] = Field(description="What x and y may be: what is known of any model here.")
    n_models: int = Field(description="Models that pass the filters.")
    n_missing: int = Field(description="Those of them that lack one of the two.")
    coefficient: Coefficient | None
    line: Line | None
    reason: str | None
    warnings: list[ScatterNote]
    data: list[ScatterPoint]


CSV_COLUMNS = ("model", "family", "tuning", "base")


def scatter_csv(found: Scatter) -> str:
    """A row for each point; the last two columns bear the names of x and y."""
    return table((*CSV_COLUMNS, found.x, found.y), _rows(found.data))


def _rows(points: Iterable[ScatterPoint]) -> Iterable[tuple[object, ...]]:
    return ((one.model, one.family, one.tuning, one.base, one.x, one.y) for one in points)
