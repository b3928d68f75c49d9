"""The published rows as a leaderboard of their own: same shape, another protocol, nothing measured here among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from scoring.errors import BenchmarkUnknown
from scoring.published import paper
from scoring.published.paper import PublishedModel
from storage.board_order import COVERAGE, MODEL, OF_MODELS
from storage.errors import SortUnknown
from storage.leaderboard import AVERAGE
from storage.paging import token_invalid

from . import board_schemas as wire
from .board_requests import LeaderboardQuery
from .board_views import column_types
from .conditional import entity_tag, is_known, not_modified
from .csv_tables import Kind, kind_of, table, table_answer
from .paging import link_next

PROTOCOL = paper.PROTOCOL
REVISION = f"{paper.SOURCE.arxiv}v{paper.SOURCE.version}"
"""What stands for the revision of a row: the version of the paper that it is printed in."""

LEVEL = 0.95
HELP = "Raw Pearson r as it is printed; the average is over the three brain benchmarks."
NO_TIES = "published numbers come without draws or intervals"


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A model, its average over the benchmarks that are shown, and the rank that it gets."""

    rank: int
    model: PublishedModel
    average: float


def answer(query: LeaderboardQuery, request: Request) -> Response:
    """The board as JSON, page by page, or whole as CSV or Parquet.

    Raises BenchmarkUnknown, SortUnknown, PageTokenInvalid.
    """
    kind, following = kind_of(query.format, request), None
    if kind is Kind.JSON:
        view = page_view(query)
        body, following = view.model_dump_json().encode(), view.next_page_token
    else:
        shown = _shown(query.names())
        body = _table(_ordered(query, shown), shown, kind)
    tag = entity_tag(body)
    if is_known(request, tag):
        return not_modified(tag, vary="Accept")
    found = table_answer(body, kind, name=f"leaderboard-{PROTOCOL}")
    found.headers["ETag"] = tag
    link_next(request, found, following)
    return found


def page_view(query: LeaderboardQuery) -> wire.Leaderboard:
    """The page of rows that is asked for, as it is sent; raises as `answer` does."""
    shown = _shown(query.names())
    places, following = _page(_ordered(query, shown), query.page_size, query.page_token)
    return _board(places, shown, query.sort, following)


def families() -> set[str]:
    """The families of the models."""
    return {model.family for model in paper.models()}


def _shown(chosen: tuple[str, ...] | None) -> tuple[str, ...]:
    unknown = [name for name in chosen or () if name not in paper.BENCHMARKS]
    if unknown:
        raise BenchmarkUnknown(
            "the paper has no scores on one of these benchmarks",
            hint=f"it has {', '.join(paper.BENCHMARKS)}",
            param="benchmarks",
        )
    return chosen or paper.BENCHMARKS


def _average(model: PublishedModel, shown: Sequence[str]) -> float:
    """The printed average where all benchmarks or those of brains are shown, else the mean over those shown."""
    if set(shown) in (set(paper.BENCHMARKS), set(paper.BRAIN)):
        return model.average
    return sum(model.scores[name] for name in shown) / len(shown)


def _ordered(query: LeaderboardQuery, shown: Sequence[str]) -> list[_Place]:
    """The models that pass all filters in the order asked for. Ranks are those among all, from the greatest value.

    What is no score sorts the rows and leaves them the ranks of the average.
    """
    key, descending = query.sort.removeprefix("-"), query.sort.startswith("-")
    keys = [AVERAGE, COVERAGE, MODEL, *OF_MODELS, *shown]
    if key not in keys:
        raise SortUnknown("the leaderboard has no such column", hint=f"sort by {', '.join(keys)}", param="sort")
    ranked = key if key in shown else AVERAGE
    values = sorted((_score(model, ranked, shown) for model in paper.models()), reverse=True)
    places = [
        _Place(rank=values.index(_score(model, ranked, shown)) + 1, model=model, average=_average(model, shown))
        for model in sorted(paper.models(), key=lambda model: model.name)
        if _passes(model, query)
    ]
    known = [place for place in places if _sort_value(place, key, shown) is not None]
    known.sort(key=lambda place: _sort_value(place, key, shown) or 0, reverse=descending)
    return known + [place for place in places if _sort_value(place, key, shown) is None]


def _passes(model: PublishedModel, query: LeaderboardQuery) -> bool:
    return (
        (query.models is None or model.name in (query.ids() or ()))
        and query.family in (None, model.family)
        and query.tuning in (None, model.tuning.value)
        and (query.params_min is None or model.parameters >= query.params_min)
        and (query.params_max is None or model.parameters <= query.params_max)
    )


def _score(model: PublishedModel, key: str, shown: Sequence[str]) -> float:
    return _average(model, shown) if key == AVERAGE else model.scores[key]


def _sort_value(place: _Place, key: str, shown: Sequence[str]) -> float | str | None:
    model = place.model
    if key == COVERAGE:
        return len(shown)
    if key == MODEL:
        return model.name
    if key in OF_MODELS:
        value: float | str | None = getattr(model, OF_MODELS[key])
        return value
    return _score(model, key, shown)


def _page(places: list[_Place], page_size: int, page_token: str | None) -> tuple[list[_Place], str | None]:
    """The rows after the one that the token names, and the token of the next page; raises PageTokenInvalid."""
    start = 0
    if page_token is not None:
        names = [place.model.name for place in places]
        if page_token not in names:
            raise token_invalid()
        start = names.index(page_token) + 1
    page = places[start : start + page_size]
    return page, page[-1].model.name if start + page_size < len(places) else None


def _board(places: Sequence[_Place], shown: Sequence[str], sort: str, following: str | None) -> wire.Leaderboard:
    key = sort.removeprefix("-")
    n_models = len(paper.models())
    return wire.Leaderboard(
        protocol=PROTOCOL,
        provenance="published",
        source=paper.SOURCE.name,
        snapshot=None,
        average_unit="raw",
        ties=wire.Ties(
            of=key if key in shown else AVERAGE, level=LEVEL, n_models=n_models, n_unpaired=n_models, reason=NO_TIES
        ),
        columns=[wire.Column(key=name, label=name, help=HELP, unit="raw") for name in shown],
        data=[_row(place, shown) for place in places],
        next_page_token=following,
    )


def _row(place: _Place, shown: Sequence[str]) -> wire.Row:
    model = place.model
    return wire.Row(
        rank=place.rank,
        rank_interval=None,
        tie_group=None,
        model=wire.BoardModel(
            id=model.name,
            hub_id=model.hub_id,
            revision=REVISION,
            family=model.family,
            architecture=None,
            parameters=model.parameters,
            n_layers=model.n_layers,
            width=model.width,
            tuning=model.tuning.value,
        ),
        dtype=None,
        options={},
        average=place.average,
        coverage=len(shown),
        scores={name: wire.Cell(value=model.scores[name], interval=None, score=None, flags=[]) for name in shown},
    )


def _table(places: Sequence[_Place], shown: Sequence[str], kind: Kind) -> bytes:
    """The columns that a board of measured scores has; what is not printed is empty."""
    types, rows = column_types(shown), [_table_row(place, shown) for place in places]
    if kind is Kind.CSV:
        return table([*types], rows).encode()
    from .parquet_tables import parquet

    return parquet(types, rows)


def _table_row(place: _Place, shown: Sequence[str]) -> Sequence[object]:
    model = place.model
    values: list[object] = [place.rank, model.name, REVISION, None, model.family, model.parameters, place.average]
    values += [model.tuning.value, len(shown), None, None, None]
    for name in shown:
        values += [model.scores[name], None, None, None]
    return values
