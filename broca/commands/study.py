"""`broca study`: many models submitted as one."""

from __future__ import annotations

import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..client import Client
from ..errors import FileUnusable
from ..studies import Study
from .display import messages_console, show
from .options import BENCHMARKS, JSON, QUIET, SERVER, names_in

app = typer.Typer(help="Many models submitted as one.", no_args_is_help=True)

LOOK_S = 5.0
"""Seconds between two looks at a study that is waited for."""


@app.command("run")
def run(
    name: str = typer.Argument(metavar="NAME", help="A study of the server, or a .toml file that defines one."),
    protocol: str = typer.Option(None, "--protocol", help="Another protocol than the study's."),
    benchmarks: str = BENCHMARKS,
    replace: list[str] = typer.Option(
        None, "--replace", metavar="ID=ID", help="A model that stands in for another; may be given several times."
    ),
    wait: bool = typer.Option(False, "--wait", help="Wait for the end; the exit code is 1 where a run has no score."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Submit a study; prints its id. What is known already is not computed again.

    Example: broca study run paper-2312.00575 --benchmarks futrell2018
    """
    chosen = names_in(benchmarks) or None
    with Client(server) as client:
        study = client.run_study(
            _definition(name), protocol=protocol, benchmarks=chosen, replace=_standing_in(replace or [])
        )
        for one in study.left_out:
            messages_console().print(f"left out {one.id}: {one.reason}", markup=False, soft_wrap=True)
        while wait and not study.is_finished:
            time.sleep(LOOK_S)
            study = client.study(study.id)
    show(study, lambda: _picture(study) if wait else Text(study.id), as_json=as_json, quiet=quiet, ids=[study.id])
    if wait and study.coverage.share < 1:
        raise typer.Exit(1)


@app.command("show")
def show_study(
    study_id: str = typer.Argument(metavar="STUDY", help="The id that `broca study run` printed."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Show how far a study is: which runs have scores, and what is ahead. -q prints the ids of its jobs.

    Example: broca study show study_0f3a9c
    """
    with Client(server) as client:
        study = client.study(study_id)
    show(study, lambda: _picture(study), as_json=as_json, quiet=quiet, ids=(model.job for model in study.models))


def _definition(name: str) -> str | Mapping[str, Any]:
    if not name.endswith(".toml"):
        return name
    try:
        return tomllib.loads(Path(name).read_text("utf8"))
    except (OSError, ValueError) as error:
        raise FileUnusable(f"{name} cannot be read as TOML: {error}") from error


def _standing_in(given: list[str]) -> dict[str, str]:
    if any("=" not in one for one in given):
        raise typer.BadParameter("--replace takes the id of a model, =, and that of the one in its place")
    return {one.partition("=")[0].strip(): one.partition("=")[2].strip() for one in given}


def _picture(study: Study) -> Group:
    table = Table(title=f"{study.name} under {study.protocol}", title_justify="left")
    table.add_column("model")
    for name in study.benchmarks:
        table.add_column(name)
    for model in study.models:
        told = {run.benchmark: run.error or run.status for run in model.runs}
        shown = model.id if model.requested_revision is None else f"{model.id}@{model.requested_revision}"
        table.add_row(shown, *(told.get(name, "–") for name in study.benchmarks))
    done, cost = study.coverage, study.cost
    lines = [f"{done.succeeded} of {done.total} runs have scores, {done.failed} failed, {cost.runs} ahead"]
    if cost.runs:
        untimed = f"; not timed here yet: {', '.join(cost.untimed)}" if cost.untimed else ""
        lines.append(f"about {cost.estimate_s / 60:.0f} min of one worker{untimed}")
    lines += [f"left out {one.id}: {one.reason}" for one in study.left_out]
    return Group(table, *map(Text, lines))
