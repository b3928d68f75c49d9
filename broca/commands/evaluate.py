"""`broca properties evaluate`: tasks of lm-evaluation-harness, run on this machine, become properties of the model."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from ..client import Client
from ..harness import Evaluation, evaluate, program
from ..property_files import read_properties
from .options import JSON, KNOWN_MODEL, QUIET, REVISION, SERVER, names_in
from .properties import send


def evaluate_model(
    model: str = KNOWN_MODEL,
    tasks: str = typer.Option(..., "--tasks", help="Tasks or groups of the harness, separated by commas."),
    revision: str = REVISION,
    include_path: Path = typer.Option(None, "--include-path", help="A folder with tasks of your own."),
    n_shots: int = typer.Option(
        None, "--shots", min=0, help="Examples before each question; the task's own if absent."
    ),
    device: str = typer.Option(
        None, "--device", help="Where the model runs: cpu, cuda:0; the harness chooses if absent."
    ),
    dtype: str = typer.Option(None, "--dtype", help="float32 or bfloat16; the weights' own if absent."),
    batch_size: str = typer.Option("auto", "--batch-size", help="Questions at a time."),
    output: Path = typer.Option(None, "--output", "-o", help="A folder that keeps the harness' results."),
    as_json: bool = JSON,
    quiet: bool = QUIET,
    server: str = SERVER,
) -> None:
    """Run lm-evaluation-harness on this machine and set what it measures as properties.

    Example: broca properties evaluate gpt2 --tasks mmlu,bbh
    """
    asked = Evaluation(
        model=model,
        tasks=names_in(tasks),
        revision=revision,
        include_path=include_path,
        n_shots=n_shots,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
    )
    program()
    with Client(server) as client:
        client.model(model, revision=revision)
    with TemporaryDirectory(prefix="broca-evaluate-") as temporary:
        results = evaluate(asked, output or Path(temporary))
        send(read_properties(results, model=model, revision=revision), server, as_json=as_json, quiet=quiet)
