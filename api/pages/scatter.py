"""Any two columns of models against one another at `/scatter`: what `GET /v1/scatter` gives for the same parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import State

from charts.documents import SIZE, WIDTH, short_label
from scoring.analysis.table import AVERAGE, PROPERTIES
from scoring.errors import CodedError
from scoring.properties import Tuning
from scoring.protocols import PROTOCOLS
from scoring.published import paper

from ..scatter_schemas import Scatter, ScatterFilter, ScatterPoint
from ..scattering import scatter
from . import addresses
from .queries import address_if_other, checked, parameters_of, refusal_of
from .rendering import page

PATH, API, CHART = "/scatter", "/v1/scatter", "/v1/scatter/chart.svg"
LISTED = ("family", "tuning")
FIELDS = frozenset({"protocol", "x", "y", "family", "tuning", "params_min", "params_max"})
LOGARITHMS = frozenset({SIZE, WIDTH})
MAX_POINTS = 2000
MAX_ROWS = 500

router = APIRouter(include_in_schema=False)


@router.get(PATH)
async def scatter_page(request: Request) -> Response:
    """Points with names, the line, r with its interval, and the numbers; what is shown is in the address."""
    parameters = parameters_of(request, joined=LISTED, dropped=("format",))
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    context: dict[str, Any] = {"refusal": None, "found": None}
    try:
        query = checked(ScatterFilter, parameters)
        state = request.app.state
        catalogue = state.settings.catalogue
        context["found"] = await run_in_threadpool(scatter, query, state.boards, state.database, catalogue)
    except CodedError as error:
        context["refusal"] = refusal_of(error)
    context |= _choices(request.app.state, context["found"], parameters)
    status = 200 if context["refusal"] is None else context["refusal"].status
    return await run_in_threadpool(page, request, "scatter.html", status=status, **context)


def _choices(state: State, found: Scatter | None, parameters: dict[str, str]) -> dict[str, Any]:
    """What the form offers, what is drawn, and where the same stands elsewhere."""
    chosen = ScatterFilter.model_fields
    x, y = (parameters.get(name, chosen[name].default) for name in ("x", "y"))
    points = [] if found is None else found.data
    is_drawn = 0 < len(points) <= MAX_POINTS
    json = addresses.with_query(API, parameters)
    return {
        "active": PATH,
        "parameters": parameters,
        "fields": FIELDS,
        "protocols": [*PROTOCOLS, paper.PROTOCOL],
        "protocol": parameters.get("protocol", "grouped"),
        "published": paper.PROTOCOL,
        "x": x,
        "y": y,
        "columns": _columns(state, found, (x, y)),
        "words": short_label,
        "logarithms": LOGARITHMS,
        "families": sorted({one.family for one in points if one.family} | _given(parameters, "family")),
        "tunings": [*Tuning, *(_given(parameters, "tuning") - set(Tuning))],
        "rows": _rows(points)[:MAX_ROWS],
        "chart_": addresses.with_query(CHART, parameters) if is_drawn else None,
        "dark_chart": addresses.with_query(CHART, parameters, theme="dark") if is_drawn else None,
        "swapped": addresses.with_query(PATH, parameters, x=y, y=x),
        "csv": addresses.with_query(API, parameters, format="csv"),
        "json": json,
        "curl": addresses.curl(json),
    }


def _columns(state: State, found: Scatter | None, chosen: Sequence[str]) -> dict[str, list[str]]:
    """The columns to choose from, scores and properties apart; those that are chosen are always among them."""
    known = [AVERAGE, *state.settings.catalogue.names(), *PROPERTIES] if found is None else found.columns
    names = [*known, *(name for name in dict.fromkeys(chosen) if name not in known)]
    return {
        "Scores": [name for name in names if name not in PROPERTIES],
        "Properties": [name for name in names if name in PROPERTIES],
    }


def _given(parameters: dict[str, str], name: str) -> set[str]:
    return {parameters[name]} if name in parameters else set()


def _rows(points: Sequence[ScatterPoint]) -> list[tuple[ScatterPoint, str]]:
    """The points with the addresses of their models, the highest first."""
    return [(one, addresses.model(one.model)) for one in sorted(points, key=lambda one: (-one.y, one.model))]
