"""Base models and what was tuned from them at `/pairs`: what `GET /v1/pairs` gives for the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from scoring.errors import CodedError
from scoring.properties import Tuning
from scoring.protocols import PROTOCOLS
from scoring.published import paper

from ..pair_schemas import Pair, PairsFilter
from ..requests import listed
from ..routes.pairs import pairs_asked_for
from . import addresses
from .pairs_view import pairs_view
from .queries import address_if_other, checked, parameters_of, refusal_of
from .rendering import page

PATH, API = "/pairs", "/v1/pairs"
LISTED = ("benchmarks", "family")
TUNINGS = tuple(tuning.value for tuning in Tuning if tuning is not Tuning.BASE)
FIELDS = frozenset({"protocol", "benchmarks", "family", "tuning", "base", "against"})

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def pairs_page(request: Request) -> Response:
    """Pairs as slopes and as a table of differences; what is shown is in the address and nowhere else."""
    parameters = parameters_of(request, joined=LISTED, dropped=("format", "layers"))
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    context: dict[str, Any] = {"refusal": None, "view": None}
    found: Sequence[Pair] = ()
    try:
        query = checked(PairsFilter, parameters)
        found = await run_in_threadpool(_found, query, request.app.state)
        context["view"] = pairs_view(found, parameters)
    except CodedError as error:
        context["refusal"] = refusal_of(error)
    context |= _choices(request.app.state, found, parameters)
    status = 200 if context["refusal"] is None else context["refusal"].status
    return await run_in_threadpool(page, request, "pairs.html", status=status, **context)


def _found(query: PairsFilter, state: State) -> list[Pair]:
    return pairs_asked_for(query, state.database, state.settings)


def _choices(state: State, found: Sequence[Pair], parameters: dict[str, str]) -> dict[str, Any]:
    """What the form offers, and where the same stands elsewhere."""
    families = {pair.family for pair in found if pair.family is not None}
    families |= {parameters["family"]} if "family" in parameters else set()
    is_published = parameters.get("protocol") == paper.PROTOCOL
    names = paper.BENCHMARKS if is_published else state.settings.catalogue.names()
    chosen = listed(parameters.get("benchmarks", ""))
    json = addresses.with_query(API, parameters)
    return {
        "active": PATH,
        "parameters": parameters,
        "fields": FIELDS,
        "protocols": [*PROTOCOLS, paper.PROTOCOL],
        "protocol": parameters.get("protocol", "grouped"),
        "published": paper.PROTOCOL,
        "is_published": is_published,
        "source": paper.SOURCE.name,
        "families": sorted(families),
        "tunings": TUNINGS,
        "bases": sorted({pair.base for pair in found} | ({parameters["base"]} if "base" in parameters else set())),
        "benchmarks": [*names, *(name for name in chosen if name not in names)],
        "chosen": chosen,
        "csv": addresses.with_query(API, parameters, format="csv"),
        "json": json,
        "curl": addresses.curl(json),
        "findings": addresses.with_query("/findings", {"protocol": parameters.get("protocol", "grouped")}),
    }
