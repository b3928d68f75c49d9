"""Options and arguments that several commands share: one name, one spelling, one meaning on the whole command line."""

from __future__ import annotations

from typing import Any

import typer

from . import completion

FORMS = {"as_json": "--json", "quiet": "--quiet", "as_csv": "--csv"}
"""The options that say in which form results are printed, by their parameters."""


def one_form(context: typer.Context, parameter: Any, value: bool) -> bool:
    """The value of such an option. Raises BadParameter where another form was asked for already."""
    others = [name for key, name in FORMS.items() if key != parameter.name and context.params.get(key)]
    if value and others:
        raise typer.BadParameter(f"{FORMS[parameter.name]} and {others[0]} exclude each other")
    return value


def names_in(text: str | None) -> list[str]:
    """The names in a list with commas between them; none where there is no list."""
    return [name for part in (text or "").split(",") if (name := part.strip())]


SERVER = typer.Option(
    None,
    "--server",
    envvar="BROCA_URL",
    metavar="URL",
    help="Address of the server; the one on this machine if absent.",
)
JSON = typer.Option(False, "--json", callback=one_form, help="Print JSON instead of a table.")
QUIET = typer.Option(False, "--quiet", "-q", callback=one_form, help="Print ids alone, one a line.")
CSV = typer.Option(False, "--csv", callback=one_form, help="Print CSV instead of a table.")
PROTOCOL = typer.Option(
    "grouped", "--protocol", autocompletion=completion.protocols, help="The protocol that scores are made under."
)
BENCHMARKS = typer.Option(
    None, "--benchmarks", autocompletion=completion.benchmark_lists, help="Only these, separated by commas."
)
SYNTHETIC = typer.Option(False, "--synthetic", help="Show benchmarks whose data are planted, too.")
REVISION = typer.Option(None, "--revision", help="Branch, tag or commit of the model.")
LOCAL = typer.Option(False, "--local", help="Compute in this process, without a server.")
DATA_DIR = typer.Option(None, "--data-dir", help="Folder for everything kept between runs [BROCA_DATA_DIR].")
CHART = typer.Option(None, "--chart", metavar="FILE", help="Write a chart too: .svg, .png or .vl.json.")
THEME = typer.Option("light", "--theme", help="What the chart is shown on: light or dark.")

BENCHMARK = typer.Option(
    None,
    "--benchmark",
    "-b",
    metavar="BENCHMARK",
    autocompletion=completion.benchmarks,
    help="A benchmark; may be given several times.",
)

MODEL = typer.Argument(
    metavar="MODEL",
    autocompletion=completion.models,
    help="A model of the hub (gpt2), local/<folder>, demo/tiny, untrained/<id>@<seed> or imported/<name>.",
)
KNOWN_MODEL = typer.Argument(
    metavar="MODEL", autocompletion=completion.models, help="A model that was scored or imported."
)
JOB = typer.Argument(metavar="JOB", autocompletion=completion.jobs, help="The job's id.")
SCORE = typer.Argument(metavar="SCORE", autocompletion=completion.scores, help="The score's id.")
JOBS = typer.Argument(metavar="JOB", autocompletion=completion.jobs, help="The ids of one or more jobs.")
