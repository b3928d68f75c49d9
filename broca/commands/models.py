"""`broca models`: what a model is, and how those come here that are not taken as they are; `import` is apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from ..client import Client
from ..preflight import Preflight
from . import completion
from .display import messages_console, show, show_problem
from .options import JSON, PROTOCOL, QUIET, REVISION, SERVER

if TYPE_CHECKING:
    from storage.settings import StorageSettings

app = typer.Typer(help="What a model is, and models that are not taken as they are.", no_args_is_help=True)

SYNTHETIC = "demo-fmri"
"""Stands for any benchmark where none is asked about: its data are always there."""

_OF_THE_HUB = {"revision", "download"}
"""What a model that lies on the server's own disk does not have."""

_INPUT_HAS_TO_CHANGE = {"model_id_malformed", "option_unknown"}


@app.command("show")
def show_model(
    model: str = typer.Argument(
        metavar="ID", autocompletion=completion.models, help="A model as `broca score` takes it."
    ),
    benchmarks: list[str] = typer.Option(
        None,
        "--benchmark",
        "-b",
        metavar="BENCHMARK",
        autocompletion=completion.benchmarks,
        help="A benchmark that it is to be scored on; may be given several times.",
    ),
    protocol: str = PROTOCOL,
    revision: str = REVISION,
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Say what a model is, what it needs and what stands in its way; nothing is downloaded.

    Example: broca models show EleutherAI/pythia-70m --benchmark futrell2018
    """
    with Client(server) as client:
        found = client.preflight(model, benchmarks or [SYNTHETIC], protocol, revision=revision)
    show(found, lambda: Text("\n".join(preflight_lines(found))), as_json=as_json)
    if not found.ok:
        raise typer.Exit(1)


def preflight_lines(found: Preflight) -> Iterator[str]:
    """A preflight as lines of text: the facts of the model, then what was looked at."""
    model = found.model
    for name, value in (
        ("model", model.id),
        ("revision", model.revision),
        ("family", model.family),
        ("parameters", None if model.parameters is None else f"{model.parameters:,}"),
        ("layers", model.n_layers),
        ("context", model.n_positions),
        ("download", None if model.download_bytes is None else f"{model.download_bytes / 1e6:,.1f} MB"),
    ):
        if name not in _OF_THE_HUB or not model.id.startswith("local/"):
            yield f"{name:<14}{'–' if value is None else value}"
    for dtype, n_bytes in (model.memory_needed_bytes or {}).items():
        yield f"{'memory':<14}{n_bytes / 1e6:,.1f} MB in {dtype}"
    for check in found.checks:
        if check.ok is not True and (check.ok is False or check.detail):
            state = "no" if check.ok is False else "unknown"
            yield f"{check.name:<14}{state}{f' [{check.code}]' if check.code else ''}: {check.detail}"
            if check.hint:
                yield f"{'':<14}{check.hint}"
    yield "it can be scored" if found.ok else "it cannot be scored as things stand"


@app.command("convert")
def convert(
    model: str = typer.Argument(metavar="MODEL", help="A model of the hub."),
    revision: str = REVISION,
    name: str = typer.Option(None, "--name", help="Name of the copy; the last part of the id if absent."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
) -> None:
    """Keep a copy of a model with `.bin` weights or an old tokenizer, to be scored as local/NAME.

    Example: broca models convert facebook/opt-125m
    """
    from scoring.subjects.hub_hosts import keep_to_public_hosts
    from storage.settings import StorageSettings
    from worker.conversion import convert_model
    from worker.exchange import Failure

    model_dir = _model_dir(StorageSettings())
    keep_to_public_hosts(os.environ.get("HF_ENDPOINT"))
    console = messages_console()

    def look(fraction: float, detail: str) -> None:
        if not quiet:
            console.print(f"{100 * fraction:3.0f} % {detail}", markup=False)

    found = convert_model(model, model_dir, revision=revision, name=name, on_progress=look)
    if isinstance(found, Failure):
        show_problem(f"error: {found.detail}", code=found.code, hint=found.hint)
        raise typer.Exit(2 if found.code in _INPUT_HAS_TO_CHANGE else 1)
    answer, made = found.answer, f"local/{found.name}"
    if answer.unexpected:
        listed = ", ".join(answer.unexpected[:10])
        console.print(f"{len(answer.unexpected)} tensors have no place in the model: {listed}", markup=False)
    console.print(f"made from {found.revision}; {answer.architecture}, tokenizer {answer.tokenizer}")
    told = {"id": made, "revision": found.revision, "architecture": answer.architecture}
    show(told, lambda: Text(made), as_json=as_json, quiet=quiet, ids=[made])


def _model_dir(settings: StorageSettings) -> Path:
    """The folder of local models. Ends the command where there is none."""
    if settings.model_dir is None:
        show_problem(
            "error: there is no folder to keep the model in",
            code="setting_invalid",
            hint="set BROCA_MODEL_DIR to the folder of local models",
        )
        raise typer.Exit(2)
    return settings.model_dir.absolute()
