"""`broca data`: which data sets there are, whether they are on this machine, and how to get them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from .display import messages_console, results_console, show_problem
from .options import DATA_DIR

if TYPE_CHECKING:
    from scoring.datasets.download import DataStore
    from scoring.datasets.manifest import Dataset

app = typer.Typer(help="Data sets on this machine.", no_args_is_help=True)


@app.command("list")
def list_datasets(data_dir: Path = DATA_DIR) -> None:
    """List data sets: licence, whether they are here, and where they would come from."""
    from scoring.datasets.manifest import datasets
    from scoring.registry import Shelf, names

    store, known = _store(data_dir), datasets()
    table = Table("name", "title", "licence", "ready", "where", "synthetic")
    for dataset in known.values():
        ready = "yes" if store.is_ready(dataset) else "no"
        table.add_row(dataset.name, dataset.title, dataset.licence, ready, _where(store, dataset), "no")
    for name in names(Shelf.DATASETS):
        if name not in known:
            table.add_row(name, "planted data, made when needed", "–", "yes", "made when needed", "SYNTHETIC")
    results_console().print(table)


@app.command("get")
def get_dataset(name: str = typer.Argument(metavar="NAME"), data_dir: Path = DATA_DIR) -> None:
    """Bring a data set to this machine, checked; says under which licence and what to cite."""
    from scoring.datasets.manifest import dataset_named
    from scoring.errors import DataMissing, ScoringError

    store = _store(data_dir)
    try:
        dataset = dataset_named(name)
    except DataMissing as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(2) from None
    typer.echo(f"{dataset.title}\nlicence: {dataset.licence}\nplease cite: {dataset.citation}")
    if not dataset.is_public and not store.is_ready(dataset):
        _show_what_a_mirror_holds(dataset)
        raise typer.Exit(1)
    try:
        for file in dataset.files:
            typer.echo(f"{file.name}: {store.path(dataset, file)}")
    except ScoringError as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(1) from None


def _store(data_dir: Path | None) -> DataStore:
    from storage.settings import StorageSettings

    settings = StorageSettings() if data_dir is None else StorageSettings(data_dir=data_dir)
    return settings.data_store(offline=False)


def _where(store: DataStore, dataset: Dataset) -> str:
    if store.mirror is not None and all((store.mirror / file.mirror).is_file() for file in dataset.files):
        return f"mirror {store.mirror}"
    if store.is_ready(dataset):
        return str(store.cache / dataset.name)
    return "public address" if dataset.is_public else "only in a mirror"


def _show_what_a_mirror_holds(dataset: Dataset) -> None:
    console = messages_console()
    console.print(f"{dataset.name} has no public address; set BROCA_DATA_MIRROR to a folder that holds", markup=False)
    for file in dataset.files:
        console.print(f"  {file.mirror}  ({file.n_bytes:,} bytes, sha256 {file.sha256})", markup=False)
