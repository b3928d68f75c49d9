"""`broca scores`: what lies behind a score."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import typer

from ..client import FORMATS, Client
from ..errors import FileUnusable
from .display import matched_table, messages_console, show
from .options import JSON, QUIET, SCORE, SERVER, THEME, names_in
from .pictures import save_chart
from .score import picture_of

REASONS = {
    "no_perplexity": "the score knows no perplexity or no ΔLL: it is none of reading, or words have no frequencies",
    "not_comparable": "its surprisals are not those of a causal model",
    "too_few_base_models": "there are {base.n} base models with such a score, and it takes {base.minimum}",
    "outside_range": "no base model on one side: their log2 perplexities reach from {base.log2_perplexity_low:.2f} to "
    "{base.log2_perplexity_high:.2f} bits",
}

app = typer.Typer(help="What lies behind a score.", no_args_is_help=True)


@app.command("show")
def show_score(score_id: str = SCORE, as_json: bool = JSON, quiet: bool = QUIET, server: str = SERVER) -> None:
    """Show a score with its ceiling, its interval and what stands beside it.

    Example: broca scores show score_489a340037c2b9bc585d
    """
    with Client(server) as client:
        found = client.score(score_id)
        show(found, lambda: picture_of(client, [found]), as_json=as_json, quiet=quiet, ids=[found.id])


TABLE_FILE = typer.Option(None, "--output", "-o", help="File to write, .csv or .parquet; without it CSV is printed.")


@app.command("units")
def units(score_id: str = SCORE, output: Path = TABLE_FILE, server: str = SERVER) -> None:
    """Give how well each voxel, region or electrode behind a score of brains is predicted.

    Example: broca scores units score_489a340037c2b9bc585d --output units.parquet
    """
    _save(output, server, lambda client, written: client.units(score_id, format=written))


@app.command("surprisals")
def surprisals(score_id: str = SCORE, output: Path = TABLE_FILE, server: str = SERVER) -> None:
    """Give every word behind a score of reading, with its surprisals and times.

    Example: broca scores surprisals score_489a340037c2b9bc585d --output words.parquet
    """
    _save(output, server, lambda client, written: client.surprisals(score_id, format=written))


@app.command("chart")
def chart(
    score_id: str = SCORE,
    output: Path = typer.Option(..., "--output", "-o", help="File to write: .svg, .png or .vl.json."),
    theme: str = THEME,
    server: str = SERVER,
) -> None:
    """Draw the layer curve of a score with its ceiling and its baselines.

    Example: broca scores chart score_489a340037c2b9bc585d --output curve.svg
    """
    with Client(server) as client:
        save_chart(output, lambda format: client.score_chart(score_id, format=format, theme=theme))


@app.command("matched")
def matched(
    score_id: str = SCORE,
    base: str = typer.Option(None, "--base", help="Ids of base models, separated by commas; else all untuned ones."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Compare a score's ΔLL with that of base models of the same perplexity.

    Example: broca scores matched score_489a340037c2b9bc585d --base gpt2,distilgpt2
    """
    named = names_in(base) or None
    with Client(server) as client:
        found = client.matched_perplexity(score_id, base=named)
    if found.base.missing and not as_json:
        messages_console().print(f"without a score here: {', '.join(found.base.missing)}", markup=False)
    if found.reason is None or as_json:
        show(found, lambda: matched_table(found), as_json=as_json)
    if found.reason is not None:
        messages_console().print(REASONS.get(found.reason, found.reason).format(base=found.base), markup=False)
        raise typer.Exit(1)


def _save(output: Path | None, server: str, ask: Callable[[Client, str], bytes]) -> None:
    """Write a table into the file in the format of its ending; without a file print it as CSV."""
    written = "csv" if output is None else FORMATS.get(output.suffix.lower())
    if written not in {"csv", "parquet"}:
        raise FileUnusable(f"{output} does not say its format by its ending", hint="known endings: .csv, .parquet")
    with Client(server) as client:
        data = ask(client, written)
    if output is None:
        typer.echo(data, nl=False)
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise FileUnusable(f"{output} cannot be written: {error.strerror}") from error
