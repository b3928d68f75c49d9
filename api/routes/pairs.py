"""Tuned models beside the models that they were made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar

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

AnyPair = TypeVar("AnyPair", Pair, pairs.Named)

router = APIRouter(prefix="/v1/pairs", tags=["pairs"])


@router.get("", response_model=ListOf[Pair], responses=CSV_ANSWER)
def list_pairs(
    query: Annotated[PairsQuery, Query()], request: Request, database: DatabaseDependency, settings: SettingsDependency
) -> Response | ListOf[Pair]:
    """Every scored model with the scored ancestor of its lineage that is furthest back, and their differences."""
    if wants_csv(query.format, request):
        found = pairs_asked_for(query, database, settings)
        return csv_answer(pairs_csv(found), name=f"pairs-{query.protocol}")
    cut = Cut(size=query.page_size, after=query.page_token)
    found, following = page_of_pairs(query, database, settings, cut, with_layers=query.layers)
    return ListOf[Pair](data=found, next_page_token=following)


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Which pairs make a page: so many (None: all), `after` the one of this tuned model."""

    size: int | None = None
    after: str | None = None

    def of(self, pairs: Sequence[AnyPair]) -> tuple[Sequence[AnyPair], str | None]:
        """The pairs of the page, from all of them in the order of their tuned models, and the token of the next."""
        rest = [pair for pair in pairs if self.after is None or pair.tuned > self.after]
        if self.size is None or len(rest) <= self.size:
            return rest, None
        return rest[: self.size], rest[self.size - 1].tuned


def pairs_asked_for(
    asked: PairsFilter, database: Database, settings: ApiSettings, *, with_intervals: bool = True
) -> list[Pair]:
    """All pairs that are asked for, measured or published, without layers.

    Raises ProtocolUnsupported, BenchmarkUnknown.
    """
    cut = Cut()
    return page_of_pairs(asked, database, settings, cut, with_layers=False, with_intervals=with_intervals)[0]


def page_of_pairs(
    asked: PairsFilter,
    database: Database,
    settings: ApiSettings,
    cut: Cut,
    *,
    with_layers: bool,
    with_intervals: bool = True,
) -> tuple[list[Pair], str | None]:
    """A page of the pairs that are asked for, and the token of the next; raises as `pairs_asked_for` does."""
    if asked.protocol == paper.PROTOCOL:
        shown, following = cut.of([pair for pair in published_pairs.pairs(asked.names()) if asked.passes(pair)])
        return [*shown], following
    terms = _terms(asked, settings)
    with database.read() as session:
        named = pairs.named(session, terms, nearest=asked.against == "nearest")
        wanted, following = cut.of([pair for pair in named if asked.passes(pair)])
        found = pairs.compared(session, wanted, terms, with_layers=with_layers, with_draws=with_intervals)
    return [pair_view(pair) for pair in found], following


def _terms(asked: PairsFilter, settings: ApiSettings) -> pairs.Terms:
    protocol_named(asked.protocol)
    catalogue = settings.catalogue
    try:
        chosen = tuple(catalogue.benchmark(name[:64]).name for name in asked.names())
    except BenchmarkUnknown as error:
        error.param = "benchmarks"
        raise
    hidden = frozenset() if chosen else catalogue.off_boards()
    return pairs.Terms(protocol=asked.protocol, benchmarks=chosen or None, hidden=hidden)
