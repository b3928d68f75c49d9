"""The command line: which commands there are, and which exit code an error stands for.

Exit codes: 0 done, 1 failed (a job, a server, a download), 2 the input has to change, 3 no server answers.
"""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError

from .commands import (
    add_data,
    analyse,
    backup,
    board,
    compare,
    data,
    demo,
    doctor,
    evaluate,
    imports,
    job_logs,
    jobs,
    keys,
    models,
    pairs,
    properties,
    reproduce,
    score,
    scores,
    serve,
    study,
    verify,
    work,
)
from .commands.display import show_error, show_problem
from .errors import BadRequest, BrocaError, FileUnusable, PackageMissing, ServerUnreachable
from .version import VERSION

_OURS = frozenset({"api", "broca", "charts", "migrations", "perf", "scoring", "storage", "worker"})

_TO_CHANGE = frozenset({"setting_invalid", "harness_missing", "package_missing", "cannot_rerun"})
"""Codes of what has to be set up differently, or asked differently, beside requests and files."""

app = typer.Typer(
    name="broca",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Scores language models by how well they account for human brains and human reading.",
)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.add_typer(jobs.app, name="jobs")
app.command("wait")(jobs.wait)
app.command("logs")(job_logs.logs)
app.command("cancel")(jobs.cancel)
app.command("retry")(jobs.retry)
app.add_typer(board.app, name="leaderboard")
app.command("compare")(compare.compare)
app.command("analyse")(analyse.analyse)
app.command("pairs")(pairs.pairs)
app.command("reproduce")(reproduce.reproduce)
app.command("verify")(verify.verify)
data.app.command("add")(add_data.add_dataset)
app.add_typer(data.app, name="data")
models.app.command("import")(imports.import_model)
app.add_typer(models.app, name="models")
properties.app.command("evaluate")(evaluate.evaluate_model)
app.add_typer(properties.app, name="properties")
app.add_typer(scores.app, name="scores")
app.add_typer(study.app, name="study")
app.add_typer(keys.app, name="keys")
app.command("demo")(demo.demo)
app.command("worker")(work.worker)
app.command("migrate")(work.migrate)
app.command("doctor")(doctor.doctor)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)


def main() -> None:
    """Run the command that the arguments name."""
    try:
        app()
    except BrocaError as error:
        show_error(error)
        sys.exit(exit_code(error))
    except ModuleNotFoundError as error:  # commands load what they need: a client's install has no server
        package = (error.name or "").partition(".")[0]
        if not package or package in _OURS:
            raise
        show_error(PackageMissing("this command", package, extra="all"))
        sys.exit(2)
    except ValidationError as error:  # only settings are validated outside the client
        for problem in error.errors():
            name = "BROCA_" + "_".join(str(part) for part in problem["loc"]).upper()
            show_problem(f"error: {name}: {problem['msg']}", code="setting_invalid", hint=None)
        sys.exit(2)


def exit_code(error: BrocaError) -> int:
    """The exit code that an error stands for."""
    if isinstance(error, ServerUnreachable):
        return 3
    return 2 if isinstance(error, BadRequest | FileUnusable) or error.code in _TO_CHANGE else 1


def _show_version(is_wanted: bool) -> None:
    if is_wanted:
        typer.echo(f"broca {VERSION}")
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Scores language models by how well they account for human brains and human reading."""
