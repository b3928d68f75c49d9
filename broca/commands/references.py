"""`broca verify --reference`: numbers that others found, computed again of the data on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from .data import settings_of
from .display import messages_console, results_console, show, show_problem

if TYPE_CHECKING:
    from scoring.reference import Line

STYLES = {"ok": "green", "drift": "red", "data missing": "dim"}


def verify_reference(*, as_json: bool) -> None:
    """Show each value as it is known; ends the command with 1 where one drifted, with 2 where no data are here."""
    from scoring.reference import Verdict, checked

    found: list[Line] = []
    for line in checked(settings_of(None).data_store(offline=True)):
        found.append(line)
        if not as_json and results_console().is_terminal:
            value = line.value
            messages_console().print(f"{line.verdict}: {value.benchmark}, {value.name}", markup=False)
    show([_row(line) for line in found], lambda: _table(found), as_json=as_json)
    verdicts = {line.verdict for line in found}
    if Verdict.DRIFT in verdicts:
        raise typer.Exit(1)
    if Verdict.OK not in verdicts:
        hint = "`broca data list` says which data there are, and where they come from"
        show_problem("error: no value could be computed: none of the data are here", code="data_missing", hint=hint)
        raise typer.Exit(2)


def _row(line: Line) -> dict[str, Any]:
    value = line.value
    return {
        "benchmark": value.benchmark,
        "quantity": value.name,
        "expected": value.expected,
        "tolerance": value.tolerance,
        "found": line.found,
        "verdict": line.verdict.value,
        "detail": line.detail,
        "source": value.source,
    }


def _table(found: list[Line]) -> Table:
    table = Table("benchmark", "quantity", "expected", "within", "found", "verdict", "source")
    for line in found:
        value = line.value
        nothing = line.detail if line.verdict == "drift" and line.detail else "–"
        told = nothing if line.found is None else f"{line.found:.10g}"
        verdict = f"[{STYLES[line.verdict]}]{line.verdict}[/]"
        table.add_row(
            value.benchmark,
            value.name,
            f"{value.expected:.10g}",
            f"{value.tolerance:g}",
            Text(told),
            verdict,
            value.source,
        )
    return table
