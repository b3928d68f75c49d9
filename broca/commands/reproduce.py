"""`broca reproduce`: a published comparison from its own tables."""

from __future__ import annotations

from pathlib import Path

import typer
from rich.text import Text

from scoring.published import paper

from ..errors import FileUnusable
from .display import messages_console, show
from .options import JSON, QUIET


def reproduce(
    name: str = typer.Argument(metavar="PAPER", help=f"The arXiv number of the paper: {paper.SOURCE.arxiv}."),
    out: Path = typer.Option(None, "--out", metavar="DIR", help="Folder to write to; named by the paper if absent."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Write a paper's figures and tables from its own numbers, and which of its claims they bear.

    -q prints the way to the page alone.

    Example: broca reproduce 2312.00575 --out reproduction
    """
    if name.removeprefix("arXiv:").removesuffix(f"v{paper.SOURCE.version}") != paper.SOURCE.arxiv:
        raise FileUnusable(f"the tables of {name!r} are not here", hint=f"{paper.SOURCE.arxiv} is")
    folder = Path(f"reproduction-{paper.SOURCE.arxiv}") if out is None else out
    from ..reproduction.writing import write  # loads what draws, which no other command needs

    try:
        page = write(folder)
    except OSError as error:
        raise FileUnusable(f"{folder} cannot be written: {error.strerror or error}") from error
    files = sorted(str(path) for path in folder.iterdir())
    if not (as_json or quiet):
        messages_console().print(f"{len(files)} files in {folder}; open the page:", markup=False)
    show({"page": str(page), "files": files}, lambda: Text(str(page)), as_json=as_json, quiet=quiet, ids=[str(page)])
