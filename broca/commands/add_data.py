"""`broca data add`: data of one's own, looked over, their ceiling computed, kept as `own/NAME`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .data import settings_of
from .display import number, show, show_problem
from .options import DATA_DIR, JSON, QUIET
from .stages import stage_view

if TYPE_CHECKING:
    from scoring.datasets.own.declaration import Declaration
    from scoring.datasets.own.manifest import Manifest
    from scoring.datasets.own.store import OwnDataset


def add_dataset(
    folder: Path = typer.Argument(
        metavar="FOLDER", help="A folder, a ZIP archive of one, a netCDF file or a plain text."
    ),
    name: str = typer.Option(..., "--name", help="The name after `own/`."),
    title: str = typer.Option(None, "--title", help="What the data are; the name if absent."),
    licence: str = typer.Option(None, "--licence", help="What may be done with the data."),
    citation: str = typer.Option(None, "--citation", help="What to cite."),
    private: bool = typer.Option(None, "--private", help="Show it only to who names it."),
    n_folds: int = typer.Option(None, "--folds", min=3, max=1000, help="Folds of the protocol `grouped`."),
    measure: str = typer.Option(None, "--measure", help="Column that holds reading times; time_ms if absent."),
    alignment: str = typer.Option(
        None, "--alignment", help="Whether reading times stand at their words: corrected, original."
    ),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    data_dir: Path = DATA_DIR,
) -> None:
    """Add a recording, a reading corpus or a plain text of your own, to be scored as the benchmark own/NAME.

    Example: broca data add my-recording --name my-recording --licence "CC BY 4.0"
    """
    from scoring.datasets.own.declaration import Declaration

    declared = Declaration(
        title=title,
        licence=licence,
        citation=citation,
        private=private,
        n_folds=n_folds,
        measure=measure,
        alignment=alignment,
    )
    own_dir = settings_of(data_dir).own_dir
    found, is_new = _accepted(folder, name, declared, own_dir)
    said = {"id": found.benchmark_id, "version": found.version, "new": is_new, "sha256": found.manifest.sha256}
    document = said | asdict(found.manifest)
    ids = [found.benchmark_id]
    show(document, lambda: _picture(found, own_dir, is_new=is_new), as_json=as_json, quiet=quiet, ids=ids)


def _accepted(folder: Path, name: str, declared: Declaration, own_dir: Path) -> tuple[OwnDataset, bool]:
    """The data set that a folder is then, and whether it is new. Ends the command, with reasons, where refused."""
    from scoring.datasets.own.store import PREFIX, own_name
    from scoring.errors import ScoringError
    from storage.recordings import accept

    if not folder.exists():
        show_problem(f"error: {folder} is neither a file nor a folder", code="file_unusable", hint=None)
        raise typer.Exit(2)
    try:
        plain = own_name(name if name.startswith(PREFIX) else f"{PREFIX}{name}")
        with stage_view() as look:
            return accept(own_dir, folder, plain, declared, bounds=None, on_progress=look)
    except ScoringError as error:
        show_problem(f"error: {error.detail}", code=error.code, hint=error.hint)
        raise typer.Exit(2) from None
    except OSError as error:
        show_problem(f"error: {error.filename} cannot be written: {error.strerror}", code="file_unusable", hint=None)
        raise typer.Exit(2) from None


def _picture(found: OwnDataset, own_dir: Path, *, is_new: bool) -> Group:
    """What the data are, warnings, the ceiling of each protocol that it is known under, and where all of it lies."""
    said = found.manifest
    table = Table(title=f"{found.benchmark_id} version {found.version}", title_justify="left", show_header=False)
    for row in _rows(said):
        table.add_row(*map(Text, row))
    notes = [] if is_new else [Text("the same data, declared equally, were there already")]
    where = f"kept in {own_dir.absolute()}; a server scores it if it uses the same data folder"
    return Group(table, *notes, Text(where))


def _rows(said: Manifest) -> Iterator[tuple[str, str]]:
    yield "title", said.title
    yield "licence", said.licence
    yield "citation", said.citation
    yield "shown", "only to who names it" if said.private else "to everybody"
    yield from _rows_of_data(said)
    yield "protocols", ", ".join(said.protocols)
    for protocol, ceiling in said.ceilings.items():
        interval = "" if ceiling.low is None else f" ({number(ceiling.low)} … {number(ceiling.high)})"
        value = f"none: {ceiling.reason}" if ceiling.value is None else f"{number(ceiling.value)}{interval}"
        yield f"ceiling, {protocol}", value + (", unstable" if ceiling.is_unstable else "")
    for warning in said.warnings:
        yield f"warning {warning.code}", warning.detail


def _rows_of_data(said: Manifest) -> Iterator[tuple[str, str]]:
    if said.text is not None:
        yield "text", f"{said.text.n_words:,} words, {said.text.n_bytes:,} bytes, {said.n_stimuli:,} lines"
        return
    facts = said.reading
    if facts is None:
        yield "stimuli", f"{said.n_stimuli:,}"
        yield "units", f"{said.n_units:,} of {said.n_participants} participants"
        for part in said.parts:
            yield f"part {part.name}", f"{part.n_stimuli:,} stimuli in {part.n_groups} groups, {part.n_units:,} units"
        yield "folds of grouped", str(said.n_folds)
        return
    yield "words", f"{said.n_stimuli:,} in {facts.n_stories} stories"
    yield "measure", f"{facts.measure}, alignment {facts.alignment}"
    yield "readers", f"{said.n_participants:,}" if said.n_participants else "not known"
    yield "readings", "means only" if facts.n_readings is None else f"{facts.n_readings:,}"
