"""Pairs as the page shows them: made from what is sent as JSON, so that both say the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from scoring.published import paper

from ..pair_schemas import Pair, PairBenchmark
from . import addresses
from .drawings import Scale, scale_of, whisker

CHART = "/v1/pairs/chart.svg"
MAX_ROWS = 200
MAX_PANELS = 12
MAX_POINTS = 2000
"""Of a chart; what has more has none."""

PANELS_ACROSS = 3


@dataclass(frozen=True, kw_only=True)
class Column:
    """A benchmark with how many of the pairs that can be compared score higher when tuned."""

    name: str
    n: int
    n_up: int


@dataclass(frozen=True, kw_only=True)
class CellView:
    """The two on one benchmark, and the drawing of their difference where there is one."""

    pair: PairBenchmark | None
    drawing: Markup


@dataclass(frozen=True, kw_only=True)
class RowView:
    """A pair with the addresses of its two models; none where the numbers are printed and have no pages."""

    pair: Pair
    base: str | None
    tuned: str | None
    cells: Sequence[CellView]


@dataclass(frozen=True, kw_only=True)
class PairsView:
    """The whole table, and the chart above it; `shape` is what its place is kept by."""

    columns: Sequence[Column]
    rows: Sequence[RowView]
    n_pairs: int
    n_bases: int
    chart: str | None
    dark_chart: str | None
    shape: str
    n_panels: int


def pairs_view(found: Sequence[Pair], parameters: Mapping[str, str]) -> PairsView:
    """The table of these pairs; of many the first."""
    compared: dict[str, list[PairBenchmark]] = {}
    for pair in found:
        for one in pair.benchmarks:
            compared.setdefault(one.benchmark, []).append(one)
    columns = [_column(name, of_name) for name, of_name in sorted(compared.items())]
    scales = {name: _scale(of_name) for name, of_name in compared.items()}
    n_panels = sum(column.n > 0 for column in columns)
    is_drawn = 0 < n_panels <= MAX_PANELS and sum(column.n for column in columns) <= MAX_POINTS
    return PairsView(
        columns=columns,
        rows=[_row(pair, columns, scales, parameters) for pair in found[:MAX_ROWS]],
        n_pairs=len(found),
        n_bases=len({pair.base for pair in found}),
        chart=addresses.with_query(CHART, parameters) if is_drawn else None,
        dark_chart=addresses.with_query(CHART, parameters, theme="dark") if is_drawn else None,
        shape=f"across-{min(n_panels, PANELS_ACROSS)} down-{-(-n_panels // PANELS_ACROSS)}",
        n_panels=n_panels,
    )


def _column(name: str, compared: Sequence[PairBenchmark]) -> Column:
    differences = [one.difference for one in compared if one.difference is not None]
    return Column(name=name, n=len(differences), n_up=sum(one > 0 for one in differences))


def _scale(compared: Sequence[PairBenchmark]) -> Scale:
    values = [one.difference for one in compared if one.difference is not None]
    values += [end for one in compared if one.interval for end in (one.interval.low, one.interval.high)]
    return scale_of(values, ceiling=None, baseline=None)


def _row(pair: Pair, columns: Sequence[Column], scales: Mapping[str, Scale], parameters: Mapping[str, str]) -> RowView:
    by_name = {one.benchmark: one for one in pair.benchmarks}
    return RowView(
        pair=pair,
        base=_model(pair.base, parameters),
        tuned=_model(pair.tuned, parameters),
        cells=[_cell(by_name.get(column.name), scales[column.name]) for column in columns],
    )


def _model(model_id: str, parameters: Mapping[str, str]) -> str | None:
    protocol = parameters.get("protocol")
    if protocol == paper.PROTOCOL:
        return None
    return addresses.with_query(addresses.model(model_id), {"protocol": protocol})


def _cell(one: PairBenchmark | None, scale: Scale) -> CellView:
    if one is None or one.difference is None:
        return CellView(pair=one, drawing=Markup(""))
    low, high = (None, None) if one.interval is None else (one.interval.low, one.interval.high)
    return CellView(pair=one, drawing=whisker(scale, one.difference, low, high))
