"""Scores: the number, what it is made of, and where it comes from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from scoring.matched_perplexity import match
from scoring.word_parquet import from_parquet
from storage import baselines, matching, scores, word_tables

from ..conditional import UNCHANGED, tagged
from ..csv_tables import CSV_ANSWER, PARQUET, csv_answer, json_answer, parquet_answer, wants_csv, wants_parquet
from ..dependencies import DatabaseDependency
from ..matching import MatchedPerplexity, MatchedQuery, matched_view
from ..requests import NoParameters, TableQuery, WordsQuery
from ..schemas import ListOf
from ..score_schemas import LayerScore, Participant, Provenance, Score
from ..score_views import (
    layer_view,
    layers_csv,
    participant_views,
    participants_csv,
    provenance_view,
    score_view,
    words_csv,
)

WORDS_ANSWER: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The table as a file.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            PARQUET: {"schema": {"type": "string", "format": "binary"}},
        },
    }
}

router = APIRouter(prefix="/v1/scores", tags=["scores"])


@router.get("/{score_id}", response_model=Score, responses=UNCHANGED)
def get_score(
    score_id: str, _: Annotated[NoParameters, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """A score with its ceiling, interval, layer rule, counts, baselines and warnings."""
    with database.read() as session:
        stored = scores.get(session, score_id)
        beside = baselines.beside(session, stored)
    view = score_view(stored, beside)
    return tagged(request, Response(view.model_dump_json(), media_type="application/json"))


@router.get("/{score_id}/layers", response_model=ListOf[LayerScore], responses=CSV_ANSWER)
def list_layers(
    score_id: str, query: Annotated[TableQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """The layer curve in order of depth, as JSON or CSV; empty for a score that uses no layers."""
    with database.read() as session:
        score = scores.get(session, score_id).score
    if wants_csv(query.format, request):
        return csv_answer(layers_csv(score), name=f"{score_id}-layers")
    found = ListOf[LayerScore](data=[layer_view(layer) for layer in score.layers], next_page_token=None)
    return json_answer(found.model_dump_json())


@router.get("/{score_id}/participants", response_model=ListOf[Participant], responses=CSV_ANSWER)
def list_participants(
    score_id: str, query: Annotated[TableQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """The raw score of each participant in each part, as JSON or CSV; empty for a score of reading times."""
    with database.read() as session:
        score = scores.get(session, score_id).score
    if wants_csv(query.format, request):
        return csv_answer(participants_csv(score), name=f"{score_id}-participants")
    found = ListOf[Participant](data=participant_views(score), next_page_token=None)
    return json_answer(found.model_dump_json())


@router.get("/{score_id}/surprisals", response_class=Response, responses=WORDS_ANSWER)
def get_surprisals(
    score_id: str, query: Annotated[WordsQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """Every word behind a score of reading, with its surprisals and times, as CSV or Parquet.

    `reason` says why a word does not count in the raw score. The words are the corpus's: mind its licence.
    """
    with database.read() as session:
        scores.get(session, score_id)
        data = word_tables.get(session, score_id)
    name = f"{score_id}-surprisals"
    if wants_parquet(query.format, request):
        return parquet_answer(data, name=name)
    return csv_answer(words_csv(from_parquet(data)), name=name)


@router.get("/{score_id}/matched-perplexity")
def get_matched_perplexity(
    score_id: str, query: Annotated[MatchedQuery, Query()], database: DatabaseDependency
) -> MatchedPerplexity:
    """How far each ΔLL of a score is above what base models of its perplexity reach, or why that cannot be told."""
    with database.read() as session:
        stored = scores.get(session, score_id)
        base = matching.base_scores(session, stored, query.named())
    matched = match(stored.score.measures, [one.measures for one in base], is_comparable=stored.score.is_comparable)
    return matched_view(stored.id, matched, base, query.named())


@router.get("/{score_id}/provenance")
def get_provenance(score_id: str, _: Annotated[NoParameters, Query()], database: DatabaseDependency) -> Provenance:
    """What identifies a score, and the conditions it was computed under."""
    with database.read() as session:
        stored = scores.get(session, score_id)
    return provenance_view(stored)
