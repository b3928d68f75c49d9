"""`broca models import`: word vectors, surprisals or activations from a file, as a subject that can be scored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn
from rich.text import Text

from ..client import Client
from .display import messages_console, show
from .options import JSON, QUIET, SERVER


def import_model(
    name: str = typer.Argument(metavar="NAME", help="The name after `imported/`."),
    file: Path = typer.Argument(metavar="FILE", help="The file to send."),
    kind: str = typer.Option(..., "--kind", help="word-vectors, surprisals or activations."),
    unit: str = typer.Option(None, "--unit", help="bits or nats; has to be declared for surprisals."),
    format: str = typer.Option(None, "--format", help="text, csv, parquet or safetensors; else the ending says it."),
    source: str = typer.Option("", "--source", help="Where the file comes from, for whoever reads its scores."),
    allow_mismatch: bool = typer.Option(
        False, "--allow-mismatch", help="Words that differ from the benchmark's text are missing, not an error."
    ),
    replace: bool = typer.Option(False, "--replace", help="Let the name mean this file from now on."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Send a file of responses to the server, to be scored as `imported/NAME`. -q prints that name.

    Example: broca models import davinci surprisals.csv --kind surprisals --unit bits
    """
    with Client(server) as client, _upload_view(file.name) as look:
        model = client.import_model(
            name,
            file,
            kind=kind,
            format=format,
            unit=unit,
            source=source,
            allow_mismatch=allow_mismatch,
            replace=replace,
            on_progress=look,
        )
    rows = (model.labels or {}).get("n_rows", "–")
    said = f"{model.id} at {model.revision}: {model.architecture}, {rows} rows"
    show(model, lambda: Text(said), as_json=as_json, quiet=quiet, ids=[model.id])


@contextmanager
def _upload_view(name: str) -> Iterator[Callable[[int, int], None]]:
    """A function that shows how much was sent: a bar on a terminal, else a line for every quarter."""
    console = messages_console()
    if not console.is_terminal:
        yield _plain_lines(name)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=console) as bars:
        task = bars.add_task(name, total=None)
        yield lambda n_sent, n_bytes: bars.update(task, completed=n_sent, total=n_bytes)


def _plain_lines(name: str) -> Callable[[int, int], None]:
    shown = 0

    def look(n_sent: int, n_bytes: int) -> None:
        nonlocal shown
        quarter = 4 * n_sent // max(n_bytes, 1)
        if quarter > shown:
            shown = quarter
            messages_console().print(f"{name}: {25 * quarter} % of {n_bytes / 1e6:.1f} MB sent", markup=False)

    return look
