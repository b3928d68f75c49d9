"""What the service tells Prometheus."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from ..dependencies import DatabaseDependency
from ..metrics import MEDIA_TYPE, Metrics
from ..requests import NoParameters

router = APIRouter(tags=["service"])


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "Prometheus's format."}},
)
def metrics(request: Request, database: DatabaseDependency, _: Annotated[NoParameters, Query()]) -> Response:
    """Requests of this process, and queue, workers, attempts and disk of the service, in Prometheus's text format."""
    told: Metrics = request.app.state.metrics
    return Response(told.text(database), media_type=MEDIA_TYPE)
