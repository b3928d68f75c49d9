"""How charts are asked for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from .pair_schemas import PairsFilter
from .requests import LongText, Name

Theme = Literal["light", "dark"]
Format = Literal["vl.json", "svg", "png"]

SPEC = "application/json"
SVG = "image/svg+xml"
PNG = "image/png"

MEDIA_TYPES: dict[str, str] = {"vl.json": SPEC, "svg": SVG, "png": PNG}

CHART_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The chart: its Vega-Lite specification, or a picture of it.",
        "content": {
            SPEC: {"schema": {"type": "object"}},
            SVG: {"schema": {"type": "string"}},
            PNG: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


class ChartQuery(BaseModel):
    """How a chart looks."""

    model_config = ConfigDict(extra="forbid")

    theme: Theme = Field(default="light", description="What it is shown on.")


class AnalysisChartQuery(ChartQuery):
    """Which chart of an analysis."""

    form: Literal["scatter", "bars", "slopes", "square", "curves"] | None = Field(
        default=None, description="Another form than the usual one of the analysis' kind."
    )
    benchmark: Name | None = Field(default=None, description="Only this score.")
    property: Name | None = Field(default=None, description="Only this property.")


class PairsChartQuery(PairsFilter, ChartQuery):
    """Which pairs are drawn."""


class ProtocolsChartQuery(ChartQuery):
    """Which benchmark under which protocols."""

    benchmark: Name = Field(description="The benchmark.")
    protocols: Annotated[LongText, StringConstraints(min_length=1)] = Field(
        description="Two to eight names separated by commas."
    )
    models: LongText | None = Field(default=None, description="Only these, separated by commas.")
