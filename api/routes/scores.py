"""Scores: the number, what it is made of, and where it comes from."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from scoring.matched_perplexity import match
from scoring.table_parquet import from_parquet
from scoring.unit_table import UnitTable
from scoring.word_table import WordTable
from storage import baselines, matching, score_tables, scores

from ..conditional import UNCHANGED, tagged
from ..csv_tables import CSV_ANSWER, PARQUET, csv_answer, json_answer, parquet_answer, wants_csv, wants_parquet
from ..dependencies import DatabaseDependency
from ..matching import MatchedPerplexity, MatchedQuery, matched_view
from ..requests import NoParameters, TableQuery, WordsQuery
from ..schemas import ListOf
from ..score_schemas import FoldScore, LayerScore, Participant, Provenance, Score
from ..score_views import (
    fold_views,
    folds_csv,
    layer_view,
    layers_csv,
    participant_views,
    participants_csv,
    provenance_view,
    score_view,
    table_csv,
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


@router.get("/{score_id}/folds", response_model=ListOf[FoldScore], responses=CSV_ANSWER)
def list_folds(
    score_id: str, query: Annotated[TableQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """The raw score of each fold of each part with the layer chosen there, as JSON or CSV; empty for reading times."""
    with database.read() as session:
        score = scores.get(session, score_id).score
    if wants_csv(query.format, request):
        return csv_answer(folds_csv(score), name=f"{score_id}-folds")
    found = ListOf[FoldScore](data=fold_views(score), next_page_token=None)
    return json_answer(found.model_dump_json())


@router.get("/{score_id}/units", response_class=Response, responses=WORDS_ANSWER)
def get_units(
    score_id: str, query: Annotated[WordsQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """How well each unit behind a score of brains is predicted, with its participant, region and place.

    As CSV or Parquet; a row for each voxel, region, electrode or component of each part.
    """
    with database.read() as session:
        scores.get(session, score_id)
        data = score_tables.get(session, score_id, score_tables.UNITS)
    return _behind(UnitTable, data, query, request, name=f"{score_id}-units")


@router.get("/{score_id}/surprisals", response_class=Response, responses=WORDS_ANSWER)
def get_surprisals(
    score_id: str, query: Annotated[WordsQuery, Query()], request: Request, database: DatabaseDependency
) -> Response:
    """Every word behind a score of reading, with its surprisals and times, as CSV or Parquet.

    `reason` says why a word does not count in the raw score. The words are the corpus's: mind its licence.
    """
    with database.read() as session:
        scores.get(session, score_id)
        data = score_tables.get(session, score_id, score_tables.WORDS)
    return _behind(WordTable, data, query, request, name=f"{score_id}-surprisals")


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


def _behind(
    kind: type[WordTable | UnitTable], parquet: bytes, query: WordsQuery, request: Request, *, name: str
) -> Response:
    """A table behind a score as the caller wants it."""
    if wants_parquet(query.format, request):
        return parquet_answer(parquet, name=name)
    return csv_answer(table_csv(from_parquet(kind, parquet)), name=name)
