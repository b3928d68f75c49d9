"""`broca doctor`: what is as it should be, what is not, and what to do about it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import typer

from .options import DATA_DIR, JSON


def doctor(
    worker: bool = typer.Option(False, "--worker", help="Only whether a worker of this machine was heard of lately."),
    as_json: bool = JSON,
    data_dir: Path = DATA_DIR,
) -> None:
    """Look over this machine and the service of the environment; ends with 1 where something fails.

    Example: broca doctor
    """
    from api.settings import ApiSettings

    from ..checkup import Verdict, everything, worker_here

    settings = ApiSettings() if data_dir is None else ApiSettings(data_dir=data_dir)
    found = []
    for finding in (worker_here if worker else everything)(settings):
        found.append(finding)
        if not as_json:
            typer.echo(f"{finding.verdict:4}  {finding.check:12}  {finding.detail}")
            if finding.hint is not None:
                typer.echo(f"{'':20}{finding.hint}")
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    if any(finding.verdict is Verdict.FAIL for finding in found):
        raise typer.Exit(1)
