"""`broca compare`: a few models beside one another."""

from __future__ import annotations

from collections.abc import Iterator, Set

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..board import Cell
from ..client import Client
from ..comparison import Comparison, Difference
from . import completion
from .display import label, messages_console, number, show
from .options import BENCHMARKS, JSON, PROTOCOL, QUIET, SERVER, SYNTHETIC, names_in


def compare(
    models: list[str] = typer.Argument(
        metavar="MODEL", autocompletion=completion.models, help="The ids of two to four models."
    ),
    protocol: str = PROTOCOL,
    benchmarks: str = BENCHMARKS,
    synthetic: bool = SYNTHETIC,
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Show models beside one another, benchmark by benchmark, and whether they are surely different.

    A difference is raw of the later model less raw of the earlier one, with its 95 % interval from paired resamples.
    -q prints the ids of the scores.

    Example: broca compare gpt2 distilgpt2 --benchmarks futrell2018
    """
    with Client(server) as client:
        found = client.compare(models, protocol=protocol, benchmarks=names_in(benchmarks), include_synthetic=synthetic)
        planted = set() if as_json or quiet else {one.id for one in client.benchmarks() if one.synthetic}
    if found.absent:
        said = f"without a score under {found.protocol}: {', '.join(found.absent)}"
        messages_console().print(said, markup=False, soft_wrap=True)
    ids = [cell.score for row in found.data for cell in row.scores.values() if cell.score is not None]
    show(found, lambda: _picture(found, planted), as_json=as_json, quiet=quiet, ids=ids)
    if found.absent:
        raise typer.Exit(1)


def _picture(found: Comparison, planted: Set[str]) -> Group:
    """Scores, a column for each model; then differences; then what the reader has to know."""
    scores = Table(title=f"Compared under {found.protocol}", title_justify="left")
    scores.add_column("benchmark")
    scores.add_column("unit")
    for row in found.data:
        scores.add_column(row.model.id, justify="right")
    for column in found.columns:
        cells = (_cell(row.scores.get(column.key)) for row in found.data)
        name = label(column.key, is_synthetic=column.key in planted)
        scores.add_row(name, column.unit or "–", *cells)
    if len(found.columns) > 1:
        scores.add_row("average", found.average_unit or "–", *(number(row.average) for row in found.data))
    shown = {column.key for column in found.columns}
    notes = []
    if planted & shown:
        notes.append(Text("SYNTHETIC: planted data; these numbers say nothing of brains or readers.", style="bold"))
    return Group(scores, *([_differences(found)] if found.differences else []), *notes)


def _differences(found: Comparison) -> Table:
    table = Table(title="Differences, raw", title_justify="left")
    for name in ("benchmark", "model", "less", "difference", "%", "95 % interval", ""):
        table.add_column(name, justify="right" if name in {"difference", "%", "95 % interval"} else "left")
    for one in found.differences:
        table.add_row(*_cells(one))
    return table


def _cells(one: Difference) -> Iterator[str]:
    interval = one.interval
    yield from (one.benchmark, one.model, one.base, "–" if one.difference is None else f"{one.difference:+.4f}")
    yield "–" if one.percent is None else f"{one.percent:+.1f}"
    if interval is None:
        yield from ("–", one.reason or "")
        return
    yield f"{interval.low:+.4f} … {interval.high:+.4f}"
    yield "not surely different" if interval.low <= 0 <= interval.high else ""


def _cell(cell: Cell | None) -> str:
    if cell is None or cell.value is None:
        return "–" if cell is None else cell.missing or "–"
    interval = cell.interval
    return number(cell.value) + ("" if interval is None else f" ({number(interval.low)} … {number(interval.high)})")
