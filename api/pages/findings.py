"""The questions that a published comparison asks, answered from the numbers of any protocol when the page is asked for.

The same analyses as `POST /v1/analyses`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.datastructures import State

from charts.documents import short_label
from scoring.analysis.table import AVERAGE, SIZE, ModelTable
from scoring.errors import CodedError, PropertyUnknown
from scoring.properties import WORD_LOSS, Tuning
from scoring.protocols import PROTOCOLS
from scoring.published import paper
from scoring.published.verdicts import Verdict

from ..analysis_schemas import AnalysisFilters, AnalysisRequest
from ..pair_schemas import PairsFilter
from ..requests import Name
from ..routes.pairs import pairs_asked_for
from ..scatter_schemas import ScatterFilter
from ..scattering import scatter, whole_table
from . import addresses, formats
from .claims import Claim, claims
from .formats import number, significant
from .pairs_view import pairs_view
from .queries import Refusal, address_if_other, checked, parameters_of, refusal_of
from .rendering import page
from .scatter import CHART, MAX_POINTS

MAX_ROWS = 60
MAIN_FAMILIES = ["t5", "llama"]
"""The 25 models of the paper's main comparison."""

REFUSED = frozenset({"protocol_unsupported", "request_invalid"})
"""Codes of errors that are told at the field of the form."""

NOT_TO_BE_SHOWN = frozenset({"protocol_unsupported", "database_unavailable"})
"""Codes of errors that are of the whole page, and of no question."""

PAIRED_COLUMNS = ("benchmark", "mean change, %", "interval", "pairs up", "p over pairs", "bases up", "p over bases")

router = APIRouter(include_in_schema=False)


class FindingsQuery(BaseModel):
    """Whose numbers the questions are asked of."""

    model_config = ConfigDict(extra="forbid")

    protocol: Name = Field(default=paper.PROTOCOL, description="The protocol of every score.")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A question in words, the table that answers it, and what limits the answer; or why there is none."""

    title: str
    words: str
    request: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    n_models: int
    n_rows: int
    warnings: Sequence[Mapping[str, str]]
    refusal: Refusal | None


QUESTIONS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("Does tuning change scores?", "Each tuned model beside the model that it was made from.", {"kind": "paired"}),
    (
        "With size and data set held?",
        "A mixed model of log scores: tuning, log10 parameters, data set, and an intercept for each base.",
        {"kind": "mixed"},
    ),
    (
        "Do scores go with size, width and knowledge?",
        "Correlations of the average with properties of models, also with size or width held.",
        {
            "kind": "correlate",
            "benchmarks": ["average"],
            "properties": ["log10_parameters", "log10_width", "mmlu", "bbh", "wikitext2_loss"],
        },
    ),
    (
        "Do models that account for brains account for reading?",
        "Correlations of brain scores with reading times, over models and over what tuning changes.",
        {"kind": "consistency"},
    ),
)


@router.get("/findings")
def findings_page(request: Request) -> Response:
    """What the numbers of a protocol say about tuning, size and behaviour."""
    parameters = parameters_of(request)
    if (address := address_if_other(request, parameters)) is not None:
        return RedirectResponse(address, status_code=303)
    protocol = parameters.get("protocol", paper.PROTOCOL)
    context: dict[str, Any] = {"refusal": None, "findings": [], "claims": [], "charts": []}
    try:
        checked(FindingsQuery, parameters)
        context |= _context(protocol, request.app.state)
    except CodedError as error:
        if error.code not in REFUSED:
            raise
        context["refusal"] = refusal_of(error)
    return page(
        request,
        "findings.html",
        status=200 if context["refusal"] is None else context["refusal"].status,
        active="/findings",
        protocol=protocol,
        protocols=[paper.PROTOCOL, *PROTOCOLS],
        is_published=protocol == paper.PROTOCOL,
        source=paper.SOURCE.name,
        verdicts=Verdict,
        pairs=addresses.with_query("/pairs", {"protocol": protocol, **_families(protocol)}),
        **context,
    )


def _context(protocol: str, state: State) -> dict[str, Any]:
    models = whole_table(protocol, state.boards, state.database, state.settings.catalogue)
    return {
        "findings": [_finding(*question, models, state) for question in QUESTIONS],
        "claims": _claims(models, state),
        "charts": _charts(protocol, state),
    }


def _families(protocol: str) -> dict[str, str]:
    return {"family": ",".join(MAIN_FAMILIES)} if protocol == paper.PROTOCOL else {}


def _claims(models: ModelTable, state: State) -> list[Claim]:
    """The paper's claims, asked of these numbers: of its own tables over the models that it asks."""
    protocol, is_published = models.protocol, models.protocol == paper.PROTOCOL
    filters = AnalysisFilters(family=MAIN_FAMILIES) if is_published else AnalysisFilters()

    def ask(kind: Literal["paired", "correlate"], **fields: Any) -> Mapping[str, Any] | None:
        tuned = {"tuning": [Tuning.INSTRUCT]} if kind == "correlate" and is_published else {}
        chosen = filters.model_copy(update=tuned)
        try:
            body = AnalysisRequest(kind=kind, protocol=protocol, filters=chosen, **fields)
            made = state.answers.of(body, models, state)
        except CodedError as error:
            if error.code in NOT_TO_BE_SHOWN:
                raise
            return None
        result: Mapping[str, Any] = made["result"]
        return result

    return claims(ask, loss="wikitext2_loss" if is_published else WORD_LOSS, is_published=is_published)


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A picture with the address of the page that shows its numbers."""

    title: str
    page: str
    light: str
    dark: str
    shape: str


def _charts(protocol: str, state: State) -> list[Chart]:
    """Pictures of the main questions, as far as there is something to draw."""
    is_published = protocol == paper.PROTOCOL
    drawn = []
    asked = {"protocol": protocol, **_families(protocol)}
    pairs = pairs_asked_for(PairsFilter(**asked), state.database, state.settings, with_intervals=False)
    view = pairs_view(pairs, asked)
    if view.chart is not None and view.dark_chart is not None:
        page_of_pairs = addresses.with_query("/pairs", asked)
        title, shape = "From base to tuned model", f"slopes {view.shape}"
        drawn.append(Chart(title=title, page=page_of_pairs, light=view.chart, dark=view.dark_chart, shape=shape))
    tuned = {**asked, **({"tuning": Tuning.INSTRUCT.value} if is_published else {})}
    for x in (SIZE, "mmlu", "wikitext2_loss" if is_published else WORD_LOSS):
        given = {**tuned, "x": x, "y": AVERAGE}
        try:
            found = scatter(ScatterFilter(**given), state.boards, state.database, state.settings.catalogue)
        except PropertyUnknown:
            continue
        if found.data and len(found.data) <= MAX_POINTS:
            light, dark = (addresses.with_query(CHART, given, theme=theme) for theme in (None, "dark"))
            title = f"The average against {short_label(x)}"
            where = addresses.with_query("/scatter", given)
            drawn.append(Chart(title=title, page=where, light=light, dark=dark, shape="points"))
    return drawn


def _finding(title: str, words: str, asked: Mapping[str, Any], models: ModelTable, state: State) -> Finding:
    families = MAIN_FAMILIES if models.protocol == paper.PROTOCOL else []
    body = AnalysisRequest(protocol=models.protocol, filters=AnalysisFilters(family=families), **asked)
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    made: Mapping[str, Any] = {"n_models": 0, "warnings": []}
    refusal = None
    try:
        made = state.answers.of(body, models, state)
        columns, rows = _paired(made["result"]) if body.kind == "paired" else (made["columns"], made["rows"])
    except CodedError as error:
        if error.code in NOT_TO_BE_SHOWN:
            raise
        refusal = refusal_of(error)
    return Finding(
        title=title,
        words=words,
        request=_curl(body),
        columns=[formats.words(column) for column in columns],
        rows=[[significant(cell) for cell in row] for row in rows[:MAX_ROWS]],
        n_models=made["n_models"],
        n_rows=len(rows),
        warnings=list({warning["detail"]: warning for warning in made["warnings"]}.values()),
        refusal=refusal,
    )


def _paired(result: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[Sequence[Any]]]:
    """One row for each benchmark: what the tables of the paper show, beside the test that counts bases."""
    rows = []
    for name, effect in result["effects"].items():
        interval = effect["percent_interval"]
        pairs, bases = effect["over_pairs"], effect["over_bases"]
        said = None if interval is None else f"{number(interval['low'], 1)} … {number(interval['high'], 1)}"
        up = [f"{over['n_up']} of {over['n']}" for over in (pairs, bases)]
        p = [None if over["test"] is None else over["test"]["p"] for over in (pairs, bases)]
        rows.append((name, effect["mean_percent"], said, up[0], p[0], up[1], p[1]))
    return PAIRED_COLUMNS, rows


def _curl(body: AnalysisRequest) -> str:
    sent = body.model_dump_json(exclude_defaults=True)
    return f"curl -s \"$BROCA_URL/v1/analyses\" --json '{sent}'"
