"""Options of how a model is read, and what they become in a job."""

from __future__ import annotations

import typer

DTYPE = typer.Option(None, "--dtype", help="Number format that the model runs in.")
CONTEXT = typer.Option(None, "--context", help="What is read before a stimulus: story, sentence, window:N, concat.")
POOLING = typer.Option(None, "--pooling", help="Which tokens stand for a stimulus: last, mean.")
PROMPT_FORMAT = typer.Option(None, "--prompt-format", help="What is put around a text: plain, chat.")
SURPRISAL = typer.Option(None, "--surprisal", help="Where surprisals come from: auto, pseudo-log-likelihood.")
ADAPTER = typer.Option(None, "--adapter", help="A LoRA adapter to merge: organisation/name@<commit sha>.")


def given(**options: str | None) -> dict[str, str]:
    """The options that were given; who scores knows the defaults of the others, and which values there are."""
    return {name: value for name, value in options.items() if value is not None}
