"""`broca analyse`: questions about many models."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..analysis import Analysis
from ..client import Client
from . import completion
from .display import show
from .options import BENCHMARKS, CHART, CSV, JSON, PROTOCOL, QUIET, SERVER, THEME, names_in
from .pictures import save_chart

KINDS = "correlate, paired, mixed, layers, consistency or trajectory"


def analyse(
    kind: str = typer.Argument(metavar="KIND", autocompletion=completion.analyses, help=f"One of {KINDS}."),
    protocol: str = PROTOCOL,
    benchmarks: str = BENCHMARKS,
    properties: str = typer.Option(None, "--properties", help="What scores are correlated with, separated by commas."),
    held: str = typer.Option(None, "--held", help="What partial correlations hold, separated by commas."),
    behaviour: str = typer.Option(None, "--behaviour", help="The score that `consistency` compares others with."),
    family: str = typer.Option(None, "--family", help="Only models of these families, separated by commas."),
    tuning: str = typer.Option(None, "--tuning", help="Only base, instruct or ablation, separated by commas."),
    models: str = typer.Option(None, "--models", help="Only these models, separated by commas."),
    params_min: int = typer.Option(None, "--params-min", help="Only models with at least so many parameters."),
    params_max: int = typer.Option(None, "--params-max", help="Only models with at most so many parameters."),
    chart: Path = CHART,
    form: str = typer.Option(None, "--form", help="Another form of the chart than the usual one of its kind."),
    theme: str = THEME,
    as_csv: bool = CSV,
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Ask a question about many models. -q prints the analysis' id.

    Example: broca analyse correlate --protocol published-2312.00575 --chart size.svg
    """
    filters = _filters(family, tuning, models, params_min=params_min, params_max=params_max)
    with Client(server) as client:
        asked: dict[str, Any] = {"benchmarks": names_in(benchmarks), "properties": names_in(properties)}
        asked |= {"held": None if held is None else names_in(held), "behaviour": behaviour, "filters": filters}
        found = client.analyse(kind, protocol=protocol, **asked)
        if chart is not None:
            save_chart(chart, lambda format: client.analysis_chart(found.id, format=format, theme=theme, form=form))
        if as_csv:
            text = client.analysis_csv(found.id)
            typer.echo(text, nl=not text.endswith("\n"))
            return
    show(found, lambda: _picture(found), as_json=as_json, quiet=quiet, ids=[found.id])


def _filters(family: str | None, tuning: str | None, models: str | None, **bounds: int | None) -> dict[str, Any]:
    """Those that were given."""
    lists = {"family": names_in(family), "tuning": names_in(tuning), "models": names_in(models)}
    return {name: value for name, value in {**lists, **bounds}.items() if value}


def _picture(found: Analysis) -> Group:
    """The table of an analysis, then where its numbers are from and what limits them."""
    title = Text(f"{found.kind} under {found.protocol}, {found.n_models} models")
    table = Table()
    for position, name in enumerate(found.table.columns):
        is_text = any(isinstance(row[position], str) for row in found.table.rows)
        table.add_column(name, justify="left" if is_text else "right")
    for row in found.table.rows:
        table.add_row(*map(_cell, row))
    notes = [Text(line) for line in _effects(found)]
    notes += [] if found.source is None else [Text(f"published: {found.source}")]
    notes += [Text(f"{warning.code}: {warning.detail or ''}", style="yellow") for warning in found.warnings]
    return Group(title, table, *notes)


def _effects(found: Analysis) -> Iterator[str]:
    """What all pairs together say; the table has them one by one."""
    for name, effect in found.result.get("effects", {}).items():
        pairs, bases = effect["over_pairs"], effect["over_bases"]
        change = f"{effect['mean_difference']:+.4f}"
        if effect["mean_percent"] is not None:
            change += f" ({effect['mean_percent']:+.2f} %)"
        over = (f"{one['n_up']} of {one['n']} up, p {one['test']['p']:.2g}" for one in (pairs, bases))
        yield f"{name}: {change}; pairs: {next(over)}; bases: {next(over)}"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
