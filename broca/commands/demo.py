"""`broca demo`: the whole way from a model to a leaderboard, in a temporary folder."""

from __future__ import annotations

import typer


def demo(
    real: bool = typer.Option(False, "--real", help="A real model on real data instead of planted ones."),
) -> None:
    """Start a server, score a small model, show the leaderboard, remove everything again.

    Example: broca demo --real
    """
    from ..demo import run

    raise typer.Exit(run(is_real=real))
