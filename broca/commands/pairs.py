"""`broca pairs`: tuned models beside the models that they were made from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer
from rich.table import Table

from ..client import Client
from ..pairs import Pair
from .display import number, show
from .options import BENCHMARKS, CHART, JSON, PROTOCOL, QUIET, SERVER, THEME, names_in
from .pictures import save_chart


def pairs(
    protocol: str = PROTOCOL,
    benchmarks: str = BENCHMARKS,
    against: str = typer.Option("furthest", "--against", help="Which scored ancestor: furthest back, or nearest."),
    chart: Path = CHART,
    theme: str = THEME,
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Show how far tuned models are from the models that they were made from. -q prints the tuned models' ids.

    Example: broca pairs --benchmarks futrell2018
    """
    chosen = names_in(benchmarks) or None
    with Client(server) as client:
        found = client.pairs(protocol=protocol, benchmarks=chosen, against=against, layers=as_json)
        if chart is not None:
            asked = {"protocol": protocol, "against": against, "theme": theme}
            save_chart(chart, lambda format: client.pairs_chart(benchmarks=chosen, format=format, **asked))
    show(found, lambda: _table(found, protocol), as_json=as_json, quiet=quiet, ids=(pair.tuned for pair in found))


def _table(found: Sequence[Pair], protocol: str) -> Table:
    table = Table(title=f"Pairs under {protocol}", title_justify="left")
    table.add_column("base")
    table.add_column("tuned")
    table.add_column("hops", justify="right")
    table.add_column("benchmark")
    for name in ("base", "tuned", "difference", "%", "95 % interval"):
        table.add_column(name, justify="right")
    for pair in found:
        for cells in _rows(pair):
            table.add_row(*cells)
    return table


def _rows(pair: Pair) -> Iterator[tuple[str, ...]]:
    for one in pair.benchmarks:
        interval = one.interval
        said = "–" if interval is None else f"{number(interval.low)} … {number(interval.high)}"
        yield (
            pair.base,
            pair.tuned,
            str(pair.hops),
            one.benchmark,
            number(None if one.base is None else one.base.raw),
            number(None if one.tuned is None else one.tuned.raw),
            number(one.difference),
            "–" if one.percent is None else f"{one.percent:+.1f}",
            f"{said} {one.reason or ''}".strip(),
        )
