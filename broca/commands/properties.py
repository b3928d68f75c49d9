"""`broca properties`: what is known of models beside their scores."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from ..client import Client
from ..models import Model
from ..property_files import PropertyFile, read_properties
from .display import messages_console, show
from .options import JSON, KNOWN_MODEL, QUIET, REVISION, SERVER

app = typer.Typer(help="What is known of models beside their scores.", no_args_is_help=True)

MAX_VALUES = 500
"""Values that a server takes in one request, which is what makes them all or nothing."""


@app.command("show")
def show_properties(
    model: str = KNOWN_MODEL,
    revision: str = REVISION,
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Show a model's properties with their sources, and its lineage.

    Example: broca properties show gpt2
    """
    with Client(server) as client:
        found = client.model(model, revision=revision)
    show(found, lambda: _picture(found), as_json=as_json)


@app.command("import")
def import_properties(
    file: Path = typer.Argument(metavar="FILE", help="Results of lm-evaluation-harness (JSON), or a table (.csv)."),
    model: str = typer.Option(None, "--model", help="Whose they are; what the file says if absent."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Set properties from a file, all of them or none, and say what was left out. -q prints the models' ids.

    Example: broca properties import results.json --model gpt2
    """
    send(read_properties(file, model=model), server, as_json=as_json, quiet=quiet)


def send(found: PropertyFile, server: str | None, *, as_json: bool, quiet: bool) -> None:
    """Send what a file holds, all or nothing, and say what was taken and left. Ends with 1 where nothing was."""
    if len(found.taken) > MAX_VALUES:
        raise typer.BadParameter(f"the file has {len(found.taken)} values; give at most {MAX_VALUES} at a time")
    n_taken = 0
    if found.taken:
        with Client(server) as client:
            n_taken = client.import_properties([one.as_json() for one in found.taken])
    lines = [f"{one.model} {one.name} {one.value} ({one.source})" for one in found.taken]
    told = {"taken": [one.as_json() for one in found.taken], "left": [list(one) for one in found.left]}
    if lines or as_json:
        ids = dict.fromkeys(one.model for one in found.taken)
        show(told, lambda: Text("\n".join(lines)), as_json=as_json, quiet=quiet, ids=ids)
    console = messages_console()
    for name, reason in found.left:
        console.print(f"left {name}: {reason}", markup=False, highlight=False, soft_wrap=True)
    console.print(f"{n_taken} taken, {len(found.left)} left", markup=False)
    if not n_taken:
        raise typer.Exit(1)


def _picture(model: Model) -> Group:
    table = Table(title=f"{model.id} at {model.revision}", title_justify="left")
    for name in ("property", "value", "from", "source", "date"):
        table.add_column(name, justify="right" if name == "value" else "left")
    for one in model.properties:
        value = " <- ".join(one.value) if isinstance(one.value, tuple) else f"{one.value}"
        held = value if one.measured is None else f"{value} (measured: {one.measured})"
        day = "–" if one.date is None else f"{one.date:%Y-%m-%d}"
        table.add_row(one.name, held, one.origin or "–", one.source or "–", day)
    chain = " <- ".join([model.id, *(one.id for one in model.lineage)])
    return Group(table, Text(f"lineage: {chain}")) if model.lineage else Group(table)
