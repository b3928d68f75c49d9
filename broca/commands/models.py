"""`broca models`: how models come here that are not taken as they are. `import` has a module of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator

import typer

from ..client import Client
from ..preflight import Preflight
from .display import messages_console, results_console, show_problem
from .options import JSON, PROTOCOL, SERVER

app = typer.Typer(help="Models that are not taken as they are.", no_args_is_help=True)

SYNTHETIC = "demo-fmri"
"""Stands for any benchmark where none is asked about: its data are always there."""

_INPUT_HAS_TO_CHANGE = {"model_id_malformed", "option_unknown"}


@app.command("show")
def show(
    model: str = typer.Argument(metavar="ID", help="A model as `broca score` takes it."),
    benchmarks: list[str] = typer.Option(
        None, "--benchmark", "-b", help="A benchmark that it is to be scored on; may be given several times."
    ),
    protocol: str = PROTOCOL,
    revision: str = typer.Option(None, "--revision", help="Branch, tag or commit of the model."),
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Say what a model is, what it needs and what stands in its way; nothing is downloaded."""
    with Client(server) as client:
        found = client.preflight(model, benchmarks or [SYNTHETIC], protocol, revision=revision)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        console = results_console()
        for line in preflight_lines(found):
            console.print(line, markup=False, highlight=False, soft_wrap=True)
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
    model: str = typer.Argument(metavar="ID", help="A model of the hub."),
    revision: str = typer.Option(None, "--revision", help="Branch, tag or commit of the model."),
    name: str = typer.Option(None, "--name", help="Name of the copy; the last part of the id if absent."),
) -> None:
    """Keep a copy of a model with `.bin` weights or an old tokenizer, to be scored as local/NAME."""
    from scoring.subjects.hub_hosts import keep_to_public_hosts
    from storage.settings import StorageSettings
    from worker.conversion import convert_model
    from worker.exchange import Failure

    model_dir = StorageSettings().model_dir
    if model_dir is None:
        show_problem(
            "error: there is no folder to keep the model in",
            code="setting_invalid",
            hint="set BROCA_MODEL_DIR to the folder of local models",
        )
        raise typer.Exit(2)
    keep_to_public_hosts(os.environ.get("HF_ENDPOINT"))
    console = messages_console()

    def show(fraction: float, detail: str) -> None:
        console.print(f"{100 * fraction:3.0f} % {detail}", markup=False)

    found = convert_model(model, model_dir.absolute(), revision=revision, name=name, on_progress=show)
    if isinstance(found, Failure):
        show_problem(f"error: {found.detail}", code=found.code, hint=found.hint)
        raise typer.Exit(2 if found.code in _INPUT_HAS_TO_CHANGE else 1)
    if found.answer.unexpected:
        listed = ", ".join(found.answer.unexpected[:10])
        console.print(f"{len(found.answer.unexpected)} tensors have no place in the model: {listed}", markup=False)
    console.print(f"made from {found.revision}; {found.answer.architecture}, tokenizer {found.answer.tokenizer}")
    typer.echo(f"local/{found.name}")
