"""The page of a model: its scores under one protocol, and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.protocols import PROTOCOLS, protocol_named
from storage import baselines, scores
from storage.engine import Database
from storage.errors import ModelUnknown
from storage.scores import StoredScore

from ..board_cache import BoardCache, Now, Which
from ..model_schemas import Model
from ..requests import ModelQuery, Name, Text
from ..routes.models import get_model
from ..score_schemas import LayerScore, Score
from ..score_views import layer_view, score_view
from . import addresses
from .queries import address_if_other, parameters_of
from .rendering import page

MAX_SCORES = 64
"""On one page; a model with more options shows the newest."""

router = APIRouter(include_in_schema=False)


class ModelPageQuery(BaseModel):
    """Which scores of a model are shown."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score shown.")
    revision: Text | None = Field(default=None, description="A commit; the newest known one when absent.")
    all: bool = Field(default=False, description="Scores of every revision, dtype and set of options.")


@dataclass(frozen=True, kw_only=True)
class ScoreCard:
    """A score with what it was computed under, and its layers."""

    score: Score
    dtype: str
    options: dict[str, Any]
    created_at: Any
    synthetic: bool
    layers: Sequence[LayerScore]
    about: str | None


@router.get("/models/{model_id:path}")
async def model_page(model_id: str, query: Annotated[ModelPageQuery, Query()], request: Request) -> Response:
    """A model's scores with intervals, ceilings and baselines, its layer curves, properties and lineage."""
    parameters = parameters_of(request)
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    boards: BoardCache = request.app.state.boards
    now = await boards.now()
    context = await run_in_threadpool(_context, model_id, query, request.app.state, now)
    return await run_in_threadpool(page, request, "model.html", **context, parameters=parameters)


def _context(model_id: str, query: ModelPageQuery, state: State, now: Now) -> dict[str, Any]:
    protocol = protocol_named(query.protocol)
    cards = _cards(model_id, query, state, now)
    path = addresses.model(model_id)
    return {
        "active": "",
        "model_id": model_id,
        "model": _facts(model_id, query.revision, state, now),
        "cards": cards,
        "protocol": protocol,
        "protocols": [(name, addresses.with_query(path, {"protocol": name})) for name in PROTOCOLS],
        "shows_all": query.all,
        "others": addresses.with_query(path, {"protocol": protocol.name, "all": "true"}),
        "json": addresses.with_query(f"/v1{path}", {"revision": query.revision}),
        "submit": addresses.with_query("/submit", {"model": model_id, "protocol": protocol.name}),
        "jobs": addresses.with_query("/jobs", {"model": model_id}),
        "pairs": addresses.with_query("/pairs", {"protocol": query.protocol, "base": model_id}),
        "pages": _pages(state, now),
    }


def _facts(model_id: str, revision: str | None, state: State, now: Now) -> Model | None:
    """What is known; None of a baseline, which is scored and has neither weights nor revision. Raises ModelUnknown."""
    try:
        return get_model(model_id, ModelQuery(revision=revision), state.database, state.settings)
    except ModelUnknown:
        boards = (state.boards.board(Which(protocol=protocol), now) for protocol in PROTOCOLS)
        if revision is None and any(one.model_id == model_id for board in boards for one in board.standings):
            return None
        raise


def _pages(state: State, now: Now) -> frozenset[str]:
    """The models that have a score under any protocol, and so a page."""
    boards = (state.boards.board(Which(protocol=protocol), now) for protocol in PROTOCOLS)
    return frozenset(one.model_id for board in boards for one in board.standings)


def _cards(model_id: str, query: ModelPageQuery, state: State, now: Now) -> list[ScoreCard]:
    database: Database = state.database
    boards: BoardCache = state.boards
    board = boards.board(Which(protocol=query.protocol, all_rows=query.all), now)
    ids = [
        standing.id
        for standing in board.standings
        if standing.model_id == model_id
        and standing.benchmark not in now.hidden
        and query.revision in (None, standing.revision)
    ]
    known = state.settings.catalogue.names()
    cards = []
    with database.read() as session:
        for score_id in ids[:MAX_SCORES]:
            stored = scores.get(session, score_id)
            cards.append(_card(stored, score_view(stored, baselines.beside(session, stored)), known))
    return sorted(cards, key=lambda card: card.score.benchmark.id)


def _card(stored: StoredScore, score: Score, known: Sequence[str]) -> ScoreCard:
    layers = [layer_view(layer) for layer in stored.score.layers]
    name = score.benchmark.id
    return ScoreCard(
        score=score,
        dtype=stored.dtype,
        options=stored.options,
        created_at=stored.created_at,
        synthetic=stored.score.synthetic,
        layers=layers,
        about=addresses.benchmark(name) if name in known else None,
    )
