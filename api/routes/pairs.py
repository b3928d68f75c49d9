"""Tuned models beside the models that they were made from."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from scoring.errors import BenchmarkUnknown
from scoring.protocols import protocol_named
from scoring.published import paper
from storage import pairs
from storage.engine import Database

from .. import published_pairs
from ..csv_tables import CSV_ANSWER, csv_answer, wants_csv
from ..dependencies import DatabaseDependency, SettingsDependency
from ..pair_schemas import Pair, PairsFilter, PairsQuery, pair_view, pairs_csv
from ..schemas import ListOf
from ..settings import ApiSettings

router = APIRouter(prefix="/v1/pairs", tags=["pairs"])


@router.get("", response_model=ListOf[Pair], responses=CSV_ANSWER)
def list_pairs(
    query: Annotated[PairsQuery, Query()], request: Request, database: DatabaseDependency, settings: SettingsDependency
) -> Response | ListOf[Pair]:
    """Every scored model with the nearest scored ancestor of its lineage, and how far the two are apart."""
    if wants_csv(query.format, request):
        found = pairs_asked_for(query, database, settings, with_layers=False)
        return csv_answer(pairs_csv(found), name=f"pairs-{query.protocol}")
    found = pairs_asked_for(query, database, settings, with_layers=query.layers)
    return ListOf[Pair](data=found, next_page_token=None)


def pairs_asked_for(asked: PairsFilter, database: Database, settings: ApiSettings, *, with_layers: bool) -> list[Pair]:
    """The pairs that are asked for, measured or published; raises ProtocolUnsupported, BenchmarkUnknown."""
    if asked.protocol == paper.PROTOCOL:
        found = published_pairs.pairs(asked.names())
    else:
        found = _measured(asked, database, settings, with_layers=with_layers)
    return [pair for pair in found if asked.passes(pair)]


def _measured(asked: PairsFilter, database: Database, settings: ApiSettings, *, with_layers: bool) -> list[Pair]:
    protocol_named(asked.protocol)
    catalogue = settings.catalogue
    try:
        chosen = tuple(catalogue.benchmark(name[:64]).name for name in asked.names())
    except BenchmarkUnknown as error:
        error.param = "benchmarks"
        raise
    hidden = frozenset() if chosen else catalogue.off_boards()
    with database.read() as session:
        found = pairs.query(
            session, protocol=asked.protocol, benchmarks=chosen or None, hidden=hidden, with_layers=with_layers
        )
    return [pair_view(pair) for pair in found]
