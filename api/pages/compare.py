"""Up to four models beside one another, and whether they are surely different."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from scoring.protocols import PROTOCOLS

from ..board_cache import BoardCache, Now
from ..comparing import CompareQuery, compared
from .board_view import board_page
from .pins import MAX_PINNED
from .queries import address_if_other, checked, parameters_of, refusal_of
from .rendering import page

LISTED = ("models", "benchmarks")

router = APIRouter(include_in_schema=False)


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
    """What the page shows of the comparison that is sent as JSON, too; nothing where no model is named."""
    if not query.ids():
        return {}
    found = compared(query, state, now)
    table = board_page(found.board, {}, {}, known=state.settings.catalogue.names())
    return {"board": found.board, "table": table, "absent": list(found.absent)}
