"""Scores: the number, the layer curve, and where it comes from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from storage import scores

from ..dependencies import DatabaseDependency
from ..requests import NoParameters
from ..schemas import ListOf
from ..score_schemas import LayerScore, Provenance, Score
from ..score_views import layer_view, provenance_view, score_view

router = APIRouter(prefix="/v1/scores", tags=["scores"])


@router.get("/{score_id}")
def get_score(score_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency) -> Score:
    """A score with its ceiling, interval, layer rule, counts and warnings."""
    with database.read() as session:
        stored = scores.get(session, score_id)
    return score_view(stored)


@router.get("/{score_id}/layers")
def list_layers(score_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency) -> ListOf[LayerScore]:
    """The layer curve in order of depth; empty for a score that uses no layers."""
    with database.read() as session:
        curve = scores.get(session, score_id).score.layers
    return ListOf[LayerScore](data=[layer_view(layer) for layer in curve], next_page_token=None)


@router.get("/{score_id}/provenance")
def get_provenance(score_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency) -> Provenance:
    """What identifies a score, and the conditions it was computed under."""
    with database.read() as session:
        stored = scores.get(session, score_id)
    return provenance_view(stored)
