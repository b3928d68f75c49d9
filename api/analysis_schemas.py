"""Shapes on the wire of analyses, both ways."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scoring.analysis.question import Kind, Question
from scoring.analysis.table import SIZE, WIDTH, Filters
from scoring.properties import Tuning

from .requests import MAX_BENCHMARKS, Name, Text
from .schemas import Wire

MAX_PROPERTIES = 16
MAX_MODELS = 128
"""With the longest names still well below what a body may have."""

_EXAMPLE: dict[str, Any] = {
    "kind": "correlate",
    "protocol": "published-2312.00575",
    "benchmarks": ["average"],
    "properties": ["log10_parameters", "mmlu"],
    "filters": {"family": ["t5", "llama"], "tuning": ["instruct"]},
}

Names = Annotated[list[Name], Field(max_length=MAX_BENCHMARKS)]
Properties = Annotated[list[Name], Field(max_length=MAX_PROPERTIES)]


class AnalysisFilters(BaseModel):
    """Which models an analysis is over; a model has to pass all."""

    model_config = ConfigDict(extra="forbid", strict=True)

    family: Names = Field(default_factory=list, description="Any of these families.")
    tuning: Annotated[list[Annotated[Tuning, Field(strict=False)]], Field(max_length=len(Tuning))] = Field(
        default_factory=list, description="Any of these tunings."
    )
    models: Annotated[list[Text], Field(max_length=MAX_MODELS)] = Field(
        default_factory=list, description="Any of these models."
    )
    params_min: int | None = Field(default=None, ge=1, le=2**53, description="At least so many parameters.")
    params_max: int | None = Field(default=None, ge=1, le=2**53, description="At most so many parameters.")


class AnalysisRequest(BaseModel):
    """A question about the models under one protocol."""

    model_config = ConfigDict(extra="forbid", strict=True, json_schema_extra={"examples": [_EXAMPLE]})

    kind: Literal["correlate", "paired", "mixed", "layers", "consistency", "trajectory"]
    protocol: Name = "grouped"
    benchmarks: Names = Field(
        default_factory=list,
        description="Benchmarks, `average`, or properties in their place; all that are scored when empty.",
    )
    properties: Properties = Field(
        default_factory=lambda: [SIZE], min_length=1, description="Of `correlate`: what scores are correlated with."
    )
    held: Properties = Field(
        default_factory=lambda: [SIZE, WIDTH],
        description="Of `correlate` and `consistency`: properties that partial correlations hold, one at a time.",
    )
    behaviour: Name = Field(default="futrell2018", description="Of `consistency`: the score of behaviour.")
    filters: AnalysisFilters = Field(default_factory=AnalysisFilters)
    seed: int = Field(default=0, ge=0, le=2**31, description="Of `mixed`: where its draws begin.")

    def question(self) -> Question:
        """The question that the science answers; names each once."""
        chosen = self.filters
        return Question(
            kind=Kind(self.kind),
            benchmarks=tuple(dict.fromkeys(self.benchmarks)),
            properties=tuple(dict.fromkeys(self.properties)),
            held=tuple(dict.fromkeys(self.held)),
            behaviour=self.behaviour,
            filters=Filters(
                families=tuple(chosen.family),
                tunings=tuple(chosen.tuning),
                ids=tuple(chosen.models),
                parameters_min=chosen.params_min,
                parameters_max=chosen.params_max,
            ),
            seed=self.seed,
        )


class AnalysisQuery(BaseModel):
    """How an analysis is written."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["json", "csv"] | None = Field(
        default=None, description="`csv` is its table alone; when absent, the header Accept decides."
    )


class AnalysisTable(Wire):
    """What the CSV holds."""

    columns: list[str]
    rows: list[list[str | float | int | None]]


class AnalysisNote(Wire):
    """Something that limits what the result says."""

    code: str
    detail: str


class Analysis(Wire):
    """An answer about many models. What `result` holds depends on `kind`."""

    object: Literal["analysis"] = "analysis"
    id: str
    kind: str
    protocol: str
    provenance: Literal["measured", "published"]
    source: str | None
    question: dict[str, Any] = Field(description="What was asked, with everything that was left out filled in.")
    n_models: int = Field(description="Models that passed the filters; each result says how many it is over.")
    result: dict[str, Any]
    table: AnalysisTable
    warnings: list[AnalysisNote]
    version: str = Field(description="Of the analyses; another version may answer otherwise.")
    created_at: datetime
    cached: bool = Field(description="Whether the same question about the same numbers was answered before.")
