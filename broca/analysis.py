"""Analyses over many models as the server answers them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import Field

from .altair_charts import drawn
from .answers import segment
from .base import Result, TiedResult
from .calls import Mode, call
from .steps import Plan
from .tables import from_rows

if TYPE_CHECKING:
    import pandas as pd

    from .altair_charts import AnyChart


class AnalysisTable(Result):
    """The numbers of an analysis for a spreadsheet, row by row."""

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[Any, ...], ...] = ()


class AnalysisNote(Result):
    """Something that limits what an analysis says."""

    code: str
    detail: str | None = None


class Analysis(TiedResult[Mode]):
    """An answer about many models; `result` depends on its kind, as the reference of HTTP tells."""

    id: str
    kind: str
    protocol: str
    result: dict[str, Any]
    provenance: str | None = None
    source: str | None = None
    question: dict[str, Any] = Field(default_factory=dict)
    n_models: int | None = None
    table: AnalysisTable = Field(default_factory=AnalysisTable)
    warnings: tuple[AnalysisNote, ...] = ()
    version: str | None = None
    created_at: datetime | None = None
    cached: bool = False

    @call
    def chart(
        self,
        *,
        form: str | None = None,
        benchmark: str | None = None,
        property: str | None = None,
        theme: str = "light",
    ) -> Plan[AnyChart]:
        """The analysis as an Altair chart, in the usual form of its kind or in another one. Raises PackageMissing."""
        query = {"theme": theme, "form": form, "benchmark": benchmark, "property": property}
        return (yield from drawn(chart_path(self.id), query))

    def long_rows(self) -> tuple[Mapping[str, Any], ...]:
        """The rows of its table."""
        return tuple(dict(zip(self.table.columns, row, strict=True)) for row in self.table.rows)

    def frame(self) -> pd.DataFrame:
        """Its table as a pandas frame, with the columns of the API's CSV. Raises PackageMissing."""
        return from_rows(self.long_rows(), self.table.columns)


def path_of(analysis_id: str) -> str:
    """Where an analysis is."""
    return f"/v1/analyses/{segment(analysis_id)}"


def chart_path(analysis_id: str, format: str = "vl.json") -> str:
    """Where its chart is."""
    return f"{path_of(analysis_id)}/chart.{segment(format)}"
