"""The leaderboard at `/`: the rows that `GET /v1/leaderboard` gives for the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from scoring.properties import Tuning
from scoring.protocols import PROTOCOLS

from .. import published_board
from ..board_cache import BoardCache, Now, Written
from ..board_requests import LeaderboardQuery
from ..board_schemas import Leaderboard, Row
from ..board_views import board_view
from ..conditional import entity_tag
from ..requests import listed
from ..routes.leaderboard import page_of, which_board
from . import addresses
from .board_view import Reference, board_page, references
from .pins import MAX_PINNED, PINNED, pinned_ids
from .queries import Refusal, address_if_other, checked, parameters_of, refusal_of
from .rendering import page_answer, render

API = "/v1/leaderboard"
LISTED = ("benchmarks", "models", "properties", PINNED)
NOT_OF_TABLES = ("page_size", "page_token")
MAX_PINNED_ROWS = 200
"""With `all` a pinned model has a row for each revision and set of options."""

NOT_OF_PINS = ("page_token", "models", "family", "tuning", "params_min", "params_max")
"""Filters that pinned rows need not pass."""

router = APIRouter(include_in_schema=False)


@router.get("/")
async def board(request: Request) -> Response:
    """The leaderboard as a page; what is shown is in the address and nowhere else."""
    parameters = parameters_of(request, joined=LISTED, dropped=("format",))
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    boards: BoardCache = request.app.state.boards
    now = await boards.now()
    try:
        query = checked(LeaderboardQuery, _of_api(parameters))
        pins = pinned_ids(parameters)
        question = _question(parameters)
        written = boards.fresh(question, now)
        if written is None:
            write = partial(_write, request.app.state, query, parameters, now, pins=pins)
            written = await run_in_threadpool(boards.get, question, write, now)
    except CodedError as error:
        body = await run_in_threadpool(_refused, request.app.state, parameters, refusal_of(error), now)
        return page_answer(request, body, status=refusal_of(error).status)
    return await run_in_threadpool(page_answer, request, written.body)


def write_ahead(state: State, now: Now) -> None:
    """Write the page that is shown where nothing is chosen, and rank by each of its columns, as its headings offer."""
    boards: BoardCache = state.boards
    query = LeaderboardQuery()
    if boards.board(which_board(query), now).standings:
        boards.get(_question({}), partial(_write, state, query, {}, now, pins=()), now)
        for column in page_of(state, query, now, is_cut=True).columns:
            page_of(state, LeaderboardQuery(sort=f"-{column.key}", page_size=1), now, is_cut=True)


def _question(parameters: dict[str, str]) -> str:
    return f"page {parameters}"


def _of_api(parameters: dict[str, str]) -> dict[str, str]:
    """The parameters that the API knows: it pins no rows."""
    return {name: value for name, value in parameters.items() if name != PINNED}


def _write(
    state: State, query: LeaderboardQuery, parameters: dict[str, str], now: Now, *, pins: tuple[str, ...]
) -> Written:
    found = _found(state, query, now)
    beside: dict[str, Reference] = {}
    pinned: tuple[Row, ...] = ()
    if query.protocol != published_board.PROTOCOL:
        beside = references(state.boards.board(which_board(query), now).standings, found.columns)
    if pins:
        kept = query.model_dump(exclude={*NOT_OF_PINS, "page_size"})
        named = LeaderboardQuery(**kept | {"models": ",".join(pins), "page_size": MAX_PINNED_ROWS})
        pinned = tuple(_found(state, named, now).data)
    body = render("board.html", _context(state, parameters, now, found=found, beside=beside, pinned=pinned))
    return Written(body=body, tag=entity_tag(body), next_page_token=found.next_page_token)


def _found(state: State, query: LeaderboardQuery, now: Now) -> Leaderboard:
    """What `GET /v1/leaderboard` sends."""
    if query.protocol == published_board.PROTOCOL:
        return published_board.page_view(query)
    stored = page_of(state, query, now, is_cut=True)
    benchmarks = state.settings.catalogue.benchmarks(column.key for column in stored.columns)
    return board_view(stored, benchmarks, query.property_names())


def _refused(state: State, parameters: dict[str, str], refusal: Refusal, now: Now) -> bytes:
    """The filters as they were sent, what is wrong with one of them, and no rows."""
    return render("board.html", _context(state, parameters, now, refusal=refusal))


def _context(
    state: State,
    parameters: dict[str, str],
    now: Now,
    *,
    found: Leaderboard | None = None,
    beside: dict[str, Reference] | None = None,
    pinned: Sequence[Row] = (),
    refusal: Refusal | None = None,
) -> dict[str, Any]:
    names = state.settings.catalogue.names()
    of_api = _of_api(parameters)
    whole = {name: value for name, value in of_api.items() if name not in NOT_OF_TABLES}
    chosen = listed(parameters.get("benchmarks", ""))
    following = None if found is None else found.next_page_token
    return {
        "active": "/",
        "parameters": parameters,
        "board": found,
        "table": None if found is None else board_page(found, beside or {}, parameters, known=names, pinned=pinned),
        "refusal": refusal,
        "protocols": [*PROTOCOLS, published_board.PROTOCOL],
        "published": published_board.PROTOCOL,
        "protocol": parameters.get("protocol", "grouped") if found is None else found.protocol,
        "families": _families(state, parameters, now),
        "tunings": [*Tuning],
        "benchmarks_offered": [*names, *(name for name in chosen if name not in names)],
        "chosen": chosen,
        **_of_pins(parameters, [row.model.id for row in pinned]),
        "csv": addresses.with_query(API, whole, format="csv"),
        "json": addresses.with_query(API, of_api),
        "curl": addresses.curl(addresses.with_query(API, of_api)),
        "following": following and addresses.with_query("/", parameters, page_token=following),
        "first": addresses.with_query("/", parameters, page_token=None) if "page_token" in parameters else None,
    }


def _of_pins(parameters: dict[str, str], found: Sequence[str]) -> dict[str, Any]:
    """What is pinned, what of it has no row, and where it is compared or pinned no more."""
    pins = listed(parameters.get(PINNED, ""))
    compared = {"models": ",".join(pins), "protocol": parameters.get("protocol")}
    return {
        "max_pinned": MAX_PINNED,
        "pins": pins,
        "not_there": [name for name in pins if name not in found],
        "unpinned": addresses.with_query("/", parameters, pinned=None),
        "compare": addresses.with_query("/compare", compared),
    }


def _families(state: State, parameters: dict[str, str], now: Now) -> list[str]:
    """The families that there are to choose from, and the one that is chosen."""
    protocol = parameters.get("protocol", "grouped")
    found = {parameters["family"]} if "family" in parameters else set()
    if protocol == published_board.PROTOCOL:
        return sorted(found | published_board.families())
    if protocol in PROTOCOLS:
        which = which_board(LeaderboardQuery(protocol=protocol))
        boards: BoardCache = state.boards
        known = boards.models(which, boards.board(which, now), now).values()
        found |= {model.family for model in known if model.family is not None}
    return sorted(found)
