"""`broca verify`: a score computed again, or reference values, and whether anything drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import typer
from rich.console import Group
from rich.table import Table
from rich.text import Text

from .. import verification
from ..client import Client
from ..errors import BrocaError
from ..local import version_here
from ..records import Provenance
from ..results import ProblemDocument, Score
from ..verification import CannotRerun, Compared
from . import completion
from .display import show
from .locally import computed
from .options import JSON, LOCAL, SERVER
from .references import verify_reference
from .score import watched


def verify(
    score_id: str = typer.Argument(None, metavar="[SCORE]", autocompletion=completion.scores, help="The score's id."),
    reference: bool = typer.Option(False, "--reference", help="Compute reference values of the data here instead."),
    tolerance: float = typer.Option(
        None, "--tolerance", min=0, help="How far numbers may be apart; 1e-6 in float32 on the same kind of device."
    ),
    local: bool = LOCAL,
    as_json: bool = JSON,
    server: str = SERVER,
) -> None:
    """Compute a score again from its provenance and report drift; ends with 1 where there is some.

    Ends with 2 where it cannot be computed again, and says why.

    Example: broca verify score_489a340037c2b9bc585d --local
    """
    if reference == (score_id is not None):
        raise typer.BadParameter("give the id of a score, or --reference")
    if reference:
        verify_reference(as_json=as_json)
        return
    with Client(server) as client:
        before, provenance = client.score(score_id), client.provenance(score_id)
        after, again = _here(provenance) if local else _there(client, provenance)
    verification.require_same_identity(provenance.identity, again.identity)
    allowed = verification.usual_tolerance(provenance, again) if tolerance is None else tolerance
    found = verification.compared(before, after, tolerance=allowed)
    has_drifted = not all(one.is_same for one in found)
    document = {
        "score": before.id,
        "rerun": after.id,
        "verdict": "drift" if has_drifted else "ok",
        "tolerance": allowed,
        "data": [asdict(one) for one in found],
        "conditions": {"before": provenance.conditions, "after": again.conditions},
    }
    show(document, lambda: _picture(before, after, found, allowed, (provenance, again)), as_json=as_json)
    if has_drifted:
        raise typer.Exit(1)


def _there(client: Client, provenance: Provenance) -> tuple[Score, Provenance]:
    """The score of a forced job on the server. Raises CannotRerun, BrocaError."""
    asked = verification.settings_of(provenance)
    verification.require_same_science(
        provenance.identity,
        scoring_version=client.service_version().scoring_version,
        benchmark_version=client.benchmark(asked.benchmark).version,
    )
    job = client.submit(
        asked.model,
        [asked.benchmark],
        asked.protocol,
        revision=asked.revision,
        options=asked.options,
        labels={"verifies": provenance.score},
        force=True,
    )
    job = watched(client, job.id)
    for run in job.runs:
        if run.score is not None:
            return client.score(run.score), client.provenance(run.score)
        raise _without_score(run.error or ProblemDocument(code=run.status))
    raise BrocaError(f"job {job.id} has no runs")


def _here(provenance: Provenance) -> tuple[Score, Provenance]:
    """The score computed in this process. Raises CannotRerun, BrocaError."""
    from scoring import SCORING_VERSION

    asked = verification.settings_of(provenance)
    verification.require_same_science(
        provenance.identity, scoring_version=SCORING_VERSION, benchmark_version=version_here(asked.benchmark)
    )
    done = computed(
        asked.model, [asked.benchmark], asked.protocol, revision=asked.revision, options=asked.options, force=True
    )
    for failure in done.failures.values():
        raise _without_score(failure)
    (score,) = done.scores
    return score, Provenance.model_validate((score.model_extra or {})["provenance"])


def _without_score(error: ProblemDocument) -> BrocaError:
    detail = error.detail or error.title or error.code
    if error.code in verification.NOT_HERE:
        return CannotRerun(f"{detail} ({error.code})", hint=error.hint)
    return BrocaError(detail, code=error.code, hint=error.hint)


def _picture(
    before: Score,
    after: Score,
    found: Sequence[Compared],
    tolerance: float,
    provenances: tuple[Provenance, Provenance],
) -> Group:
    """What was compared, then under which conditions they are not the same, then the verdict."""
    title = f"{before.model.id} on {before.benchmark.id} under {before.protocol}: {before.id} and {after.id}"
    table = Table(title=title, title_justify="left")
    for name in ("", "before", "now", "difference", "verdict"):
        table.add_column(name, justify="left" if name in {"", "verdict"} else "right")
    for one in found:
        difference = "–" if one.difference is None else f"{one.difference:+.1e}"
        table.add_row(one.name, _told(one.before), _told(one.after), difference, "ok" if one.is_same else "drift")
    old, new = (one.conditions for one in provenances)
    other = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
    notes = [Text(f"{name}: {old.get(name)} before, {new.get(name)} now") for name in other]
    n_drifted = sum(not one.is_same for one in found)
    said = f"{n_drifted} of {len(found)} drifted" if n_drifted else f"nothing of {len(found)} drifted"
    return Group(table, *notes, Text(f"{said}, by a tolerance of {tolerance:g}", style="bold"))


def _told(value: float | str | None) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.9g}"
