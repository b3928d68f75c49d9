"""`broca scores`: what lies behind a score."""

from __future__ import annotations

from pathlib import Path

import typer

from ..client import FORMATS, Client
from ..errors import FileUnusable
from .options import SERVER

app = typer.Typer(help="What lies behind a score.", no_args_is_help=True)


@app.command("surprisals")
def surprisals(
    score_id: str = typer.Argument(metavar="SCORE", help="The id of a score of reading."),
    output: Path = typer.Option(
        None, "--output", "-o", help="File to write, .csv or .parquet; without it CSV is printed."
    ),
    server: str = SERVER,
) -> None:
    """Give every word behind a score of reading, with its surprisals and times."""
    written = "csv" if output is None else FORMATS.get(output.suffix.lower())
    if written not in {"csv", "parquet"}:
        raise FileUnusable(f"{output} does not say its format by its ending", hint="known endings: .csv, .parquet")
    with Client(server) as client:
        data = client.surprisals(score_id, format=written)
    if output is None:
        typer.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise FileUnusable(f"{output} cannot be written: {error.strerror}") from error
