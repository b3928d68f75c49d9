"""Any two columns of models against one another."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..csv_tables import CSV_ANSWER, csv_answer, wants_csv
from ..dependencies import DatabaseDependency, SettingsDependency
from ..scatter_schemas import Scatter, ScatterQuery, scatter_csv
from ..scattering import scatter

router = APIRouter(prefix="/v1/scatter", tags=["analyses"])


@router.get("", response_model=Scatter, responses=CSV_ANSWER)
def get_scatter(
    query: Annotated[ScatterQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response | Scatter:
    """The models that have two scores or properties, the line of least squares through them, and Pearson's r."""
    found = scatter(query, request.app.state.boards, database, settings.catalogue)
    if wants_csv(query.format, request):
        return csv_answer(scatter_csv(found), name=f"scatter-{query.protocol}")
    return found
