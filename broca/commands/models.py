"""`broca models`: how models come here that are not taken as they are. `import` has a module of its own."""

from __future__ import annotations

import os

import typer

from .display import messages_console, show_problem

app = typer.Typer(help="Models that are not taken as they are.", no_args_is_help=True)

_INPUT_HAS_TO_CHANGE = {"model_id_malformed", "option_unknown"}


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
