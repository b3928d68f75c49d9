"""`broca data`: which data sets there are, whether they are here and whole, how to get them, and adding one's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from . import completion
from .display import messages_console, show, show_problem
from .options import DATA_DIR, JSON, QUIET

if TYPE_CHECKING:
    from scoring.datasets.manifest import Dataset
    from storage.settings import StorageSettings

    from .inventory import Row

app = typer.Typer(help="Data sets on this machine.", no_args_is_help=True)


@app.command("list")
def list_datasets(as_json: bool = JSON, quiet: bool = QUIET, data_dir: Path = DATA_DIR) -> None:
    """List data sets: licence, size, whether they are here, and where they would come from. -q prints their names.

    Example: broca data list
    """
    from .inventory import inventory

    rows = inventory(settings_of(data_dir))
    show(rows, lambda: _table(rows), as_json=as_json, quiet=quiet, ids=(row["name"] for row in rows))


@app.command("get")
def get_dataset(
    name: str = typer.Argument(metavar="NAME", autocompletion=completion.data_sets, help="The data set's name."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    data_dir: Path = DATA_DIR,
) -> None:
    """Bring a data set to this machine, checked; says under which licence and what to cite. -q prints its files.

    Example: broca data get natural-stories
    """
    from scoring.datasets.manifest import dataset_named
    from scoring.errors import DataMissing, ScoringError

    settings = settings_of(data_dir)
    try:
        dataset = dataset_named(name)
    except DataMissing as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(2) from None
    said = f"{dataset.title}\nlicence: {dataset.licence}\nplease cite: {dataset.citation}"
    if not (as_json or quiet):
        typer.echo(said)
    if not dataset.is_public and not settings.data_store(offline=True).is_ready(dataset):
        _show_what_a_mirror_holds(dataset)
        raise typer.Exit(1)
    try:
        with _download_view() as look:
            store = settings.data_store(offline=False, on_bytes=look)
            places = [store.path(dataset, file) for file in store.at_hand(dataset).files]
    except ScoringError as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(1) from None
    found = {"name": name, "title": dataset.title, "licence": dataset.licence, "citation": dataset.citation}
    lines = [f"{place.name}: {place}" for place in places]
    files = [str(place) for place in places]
    show({**found, "files": files}, lambda: Text("\n".join(lines)), as_json=as_json, quiet=quiet, ids=files)


@app.command("verify")
def verify(
    name: str = typer.Argument(
        None, metavar="[NAME]", autocompletion=completion.data_sets, help="One data set; all that are here if absent."
    ),
    as_json: bool = JSON,
    data_dir: Path = DATA_DIR,
) -> None:
    """Check what is here against its checksums: every file of a data set, every version of an added one.

    Example: broca data verify natural-stories
    """
    from scoring.errors import ScoringError

    from .inventory import verified

    try:
        rows = verified(settings_of(data_dir), name)
    except ScoringError as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(2) from None
    show(rows, lambda: _states(rows), as_json=as_json)
    if any(row["state"] == "damaged" or (name and row["state"] == "missing") for row in rows):
        raise typer.Exit(1)


def settings_of(data_dir: Path | None) -> StorageSettings:
    """The settings of this machine, with another data folder where one is named."""
    from storage.settings import StorageSettings

    return StorageSettings() if data_dir is None else StorageSettings(data_dir=data_dir)


def _table(rows: Sequence[Row]) -> Table:
    table = Table("name", "title", "licence", "bytes", "state", "where")
    for row in rows:
        n_bytes = "–" if row["bytes"] is None else f"{row['bytes']:,}"
        state = f"{row['state']}{', private' if row['private'] else ''}"
        table.add_row(*map(Text, (row["name"], row["title"], row["licence"] or "–", n_bytes, state, row["where"])))
    return table


def _states(rows: Sequence[Row]) -> Table:
    table = Table("name", "file", "state", "detail")
    for row in rows:
        table.add_row(*map(Text, (row["name"], row["file"], row["state"], row["detail"] or "")))
    return table


@contextmanager
def _download_view() -> Iterator[Callable[[str, int, int], None]]:
    """A function that shows how much of a file has come: a bar on a terminal, else nothing."""
    console = messages_console()
    if not console.is_terminal:
        yield lambda _name, _n_come, _n_bytes: None
        return
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=console) as bars:
        tasks = {}

        def look(name: str, n_come: int, n_bytes: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=n_bytes)
            bars.update(tasks[name], completed=n_come, total=n_bytes)

        yield look


def _show_what_a_mirror_holds(dataset: Dataset) -> None:
    console = messages_console()
    console.print(f"{dataset.name} has no public address; set BROCA_DATA_MIRROR to a folder that holds", markup=False)
    if dataset.listing is not None:
        console.print(f"  {dataset.listing} and the files that it lists", markup=False)
    for file in dataset.files:
        console.print(f"  {file.mirror}  ({file.n_bytes:,} bytes, sha256 {file.sha256})", markup=False)
