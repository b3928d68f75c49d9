"""Charts of what other addresses answer: each at the same place, as `chart.vl.json`, `chart.svg` or `chart.png`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Request, Response

from charts.order import Kind, Order
from scoring.analysis.question import Kind as AnalysisKind
from scoring.analysis.question import Question
from scoring.benchmarks.catalogue import Catalogue
from scoring.published import paper
from storage import analyses, baselines, scores

from ..analysing import models_under, view
from ..artist import Artist, key_of
from ..chart_schemas import (
    CHART_ANSWER,
    MEDIA_TYPES,
    AnalysisChartQuery,
    ChartQuery,
    Format,
    PairsChartQuery,
    ProtocolsChartQuery,
)
from ..conditional import UNCHANGED, entity_tag, is_known, not_modified
from ..dependencies import DatabaseDependency, SettingsDependency
from ..errors import RequestInvalid
from ..requests import listed
from ..scatter_schemas import ScatterChartQuery
from ..scattering import scatter
from ..score_views import layer_view, score_view
from .pairs import pairs_asked_for

MAX_PROTOCOLS = 8

ANSWERS = CHART_ANSWER | UNCHANGED

router = APIRouter(prefix="/v1", tags=["charts"])


@router.get("/analyses/{analysis_id}/chart.{format}", response_class=Response, responses=ANSWERS)
def get_analysis_chart(
    analysis_id: str,
    format: Format,
    query: Annotated[AnalysisChartQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """An analysis as a picture. Its kind says which: points and a line, bars with intervals, slopes, curves."""
    with database.read() as session:
        found = analyses.get(session, analysis_id)
    given = {
        "analysis": view(found, cached=True).model_dump(mode="json"),
        "form": query.form,
        "benchmark": query.benchmark,
        "property": query.property,
    }
    is_synthetic = _is_any_synthetic(_names_in(found.answer["result"]), settings.catalogue)
    order = _order(Kind.ANALYSIS, given, query, format=format, is_synthetic=is_synthetic)
    return _answer(request, order)


@router.get("/pairs/chart.{format}", response_class=Response, responses=ANSWERS)
def get_pairs_chart(
    format: Format,
    query: Annotated[PairsChartQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """A line from each base to its tuned model, a panel for each benchmark."""
    found = pairs_asked_for(query, database, settings, with_intervals=False)
    source = paper.SOURCE.name if query.protocol == paper.PROTOCOL else None
    given = {"pairs": [pair.model_dump(mode="json") for pair in found], "protocol": query.protocol, "source": source}
    names = {one.benchmark for pair in found for one in pair.benchmarks}
    is_synthetic = _is_any_synthetic(names, settings.catalogue)
    return _answer(request, _order(Kind.PAIRS, given, query, format=format, is_synthetic=is_synthetic))


@router.get("/scatter/chart.{format}", response_class=Response, responses=ANSWERS)
def get_scatter_chart(
    format: Format,
    query: Annotated[ScatterChartQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """A point for each model with its name, and the line of least squares; r, its interval and n in the caption."""
    found = scatter(query, request.app.state.boards, database, settings.catalogue)
    is_synthetic = _is_any_synthetic({found.x, found.y}, settings.catalogue)
    given = {"scatter": found.model_dump(mode="json", exclude={"columns"})}
    return _answer(request, _order(Kind.SCATTER, given, query, format=format, is_synthetic=is_synthetic))


@router.get("/scores/{score_id}/chart.{format}", response_class=Response, responses=ANSWERS)
def get_score_chart(
    score_id: str,
    format: Format,
    query: Annotated[ChartQuery, Query()],
    request: Request,
    database: DatabaseDependency,
) -> Response:
    """The layer curve of a score over relative depth, with its ceiling and its baselines."""
    with database.read() as session:
        stored = scores.get(session, score_id)
        beside = baselines.beside(session, stored)
    given = {
        "score": score_view(stored, beside).model_dump(mode="json"),
        "layers": [layer_view(layer).model_dump(mode="json") for layer in stored.score.layers],
    }
    is_synthetic = stored.score.synthetic
    return _answer(request, _order(Kind.LAYERS, given, query, format=format, is_synthetic=is_synthetic))


@router.get("/leaderboard/chart.{format}", response_class=Response, responses=ANSWERS)
def get_protocols_chart(
    format: Format,
    query: Annotated[ProtocolsChartQuery, Query()],
    request: Request,
    database: DatabaseDependency,
    settings: SettingsDependency,
) -> Response:
    """One benchmark under several protocols: the raw scores of the models that have two of them, side by side.

    Published models go by their ids on the hub, so that what is measured here stands beside what a paper prints.
    """
    protocols = listed(query.protocols)
    if not 2 <= len(protocols) <= MAX_PROTOCOLS:
        hint = "name them separated by commas, such as grouped,brain-score"
        raise RequestInvalid(f"two to {MAX_PROTOCOLS} protocols are compared", hint=hint, param="protocols")
    name = settings.catalogue.benchmark(query.benchmark).name
    chosen = listed(query.models or "")
    question = Question(kind=AnalysisKind.CORRELATE, benchmarks=(name,))
    columns = []
    for protocol in protocols:
        table = models_under(protocol, question, database, settings.catalogue)
        is_published = protocol == paper.PROTOCOL
        called = {model.name: model.hub_id for model in paper.models()} if is_published else {}
        raws = {called.get(model.id, model.id): model.scores.get(name) for model in table.models}
        shown = {model: raw for model, raw in raws.items() if raw is not None and (not chosen or model in chosen)}
        columns.append(
            {"protocol": protocol, "provenance": "published" if is_published else "measured", "scores": shown}
        )
    given = {"benchmark": name, "protocols": columns}
    is_synthetic = _is_any_synthetic([name], settings.catalogue)
    return _answer(request, _order(Kind.PROTOCOLS, given, query, format=format, is_synthetic=is_synthetic))


def _names_in(result: Mapping[str, Any]) -> set[str]:
    """The benchmarks that an analysis speaks of, among other names."""
    tests = {name for test in result.get("tests", ()) for name in (test["benchmark"], test["property"])}
    return tests | set(result.get("effects", ())) | set(result.get("benchmarks", ())) | {result.get("behaviour", "")}


def _is_any_synthetic(names: Iterable[str], catalogue: Catalogue) -> bool:
    return any(benchmark.synthetic for benchmark in catalogue.benchmarks(sorted(names)).values())


def _order(kind: Kind, given: Mapping[str, Any], query: ChartQuery, *, format: str, is_synthetic: bool) -> Order:
    return {
        "kind": kind.value,
        "given": dict(given),
        "theme": query.theme,
        "format": format,
        "is_synthetic": is_synthetic,
    }


def _answer(request: Request, order: Order) -> Response:
    """The chart as it is sent, or 304 before anything is drawn where the client has it."""
    tag = entity_tag(key_of(order))
    if is_known(request, tag):
        return not_modified(tag)
    artist = cast(Artist, request.app.state.artist)
    return Response(artist.draw(order), media_type=MEDIA_TYPES[order["format"]], headers={"ETag": tag})
