"""Up to four models beside one another, and whether they are surely different."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from scoring.protocols import PROTOCOLS, protocol_named
from storage import leaderboard
from storage.board import Board
from storage.engine import Database

from ..board_cache import BoardCache, Now, Which
from ..board_requests import LeaderboardQuery
from ..board_views import board_view
from ..errors import RequestInvalid
from ..requests import LongText, Name, listed
from ..routes.leaderboard import asked_of
from .board_view import board_page
from .pins import MAX_PINNED
from .queries import address_if_other, checked, parameters_of, refusal_of
from .rendering import page

LISTED = ("models", "benchmarks")

router = APIRouter(include_in_schema=False)


class CompareQuery(BaseModel):
    """Which models are compared, and on what."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default="grouped", description="The protocol of every score shown.")
    benchmarks: LongText | None = Field(default=None, description="Names separated by commas; all scored when absent.")
    include_synthetic: bool = Field(default=False, description="Show synthetic benchmarks too.")
    models: LongText = Field(default="", description="Ids of models, separated by commas; at most four.")

    def ids(self) -> tuple[str, ...]:
        """The models asked for, each once; raises RequestInvalid where they are too many."""
        ids = listed(self.models)
        if len(ids) > MAX_PINNED:
            hint = f"name at most {MAX_PINNED}, with commas between them"
            raise RequestInvalid(f"{len(ids)} models cannot be compared at once", hint=hint, param="models")
        return ids


@router.get("/compare")
async def compare_page(request: Request) -> Response:
    """The models' scores benchmark by benchmark; ranks and ties are of these models alone."""
    parameters = parameters_of(request, joined=LISTED)
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    boards: BoardCache = request.app.state.boards
    now = await boards.now()
    context: dict[str, Any] = {"refusal": None, "board": None, "table": None, "absent": []}
    try:
        query = checked(CompareQuery, parameters)
        context |= await run_in_threadpool(_compared, query, request.app.state, now)
    except CodedError as error:
        context["refusal"] = refusal_of(error)
    return page(
        request,
        "compare.html",
        status=200 if context["refusal"] is None else context["refusal"].status,
        active="",
        models=parameters.get("models", ""),
        protocol=parameters.get("protocol", "grouped"),
        protocols=list(PROTOCOLS),
        max_pinned=MAX_PINNED,
        **context,
    )


def _compared(query: CompareQuery, state: State, now: Now) -> dict[str, Any]:
    """A board of these models alone."""
    ids = query.ids()
    if not ids:
        return {}
    protocol_named(query.protocol)
    boards: BoardCache = state.boards
    database: Database = state.database
    catalogue = state.settings.catalogue
    whole = boards.board(Which(protocol=query.protocol), now)
    standings = [standing for standing in whole.standings if standing.model_id in ids]
    shown = LeaderboardQuery(**query.model_dump(exclude={"models"}), include_baselines=True)
    with database.read() as session:
        found = leaderboard.page(
            session, Board(query.protocol, standings), asked_of(shown, catalogue, now.hidden), draws=boards.draws
        )
    board = board_view(found, catalogue.benchmarks(column.key for column in found.columns))
    order = sorted(board.data, key=lambda row: ids.index(row.model.id))
    board = board.model_copy(update={"data": order})
    return {
        "board": board,
        "table": board_page(board, {}, {}, known=catalogue.names()),
        "absent": [name for name in ids if name not in {row.model.id for row in order}],
    }
