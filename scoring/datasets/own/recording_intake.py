"""Taking a recording of brains in: looked over, written down, its ceiling computed."""

from __future__ import annotations

from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...ceilings import ceiling_of
from ...errors import NumericalFailure, RecordingRefused
from ...protocols import protocol_named
from ...recording import Recording
from ...results import Ceiling
from ..base import Experiment
from .arrangement import GROUPED, most_folds, refusals
from .declaration import Declaration
from .files import DATA_FILES, digests, read_experiment, write_files
from .findings import Findings
from .linter import lint
from .manifest import PartCounts
from .material import Material, Report
from .reading import read_material
from .response_order import aligned


def take_recording(
    source: Path, staged: Path, said: Declaration, findings: Findings, report: Report, *, max_bytes: int
) -> dict[str, Any]:
    """What the manifest says of a recording whose files are then staged. Raises RecordingRefused."""
    for name in ("measure", "alignment"):
        if getattr(said, name) is not None:
            detail = f"{name} is declared of reading times, and these are none"
            findings.error("declaration_unsuited", detail, param=name)
    material = read_material(source, findings, max_bytes=max_bytes)
    report(0.2, "looking them over")
    lint(material, said.participants, said.n_folds, findings)
    findings.require()
    n_folds, protocols = _write(material, staged, said)
    experiment = read_experiment(staged)
    ceilings = {GROUPED: _ceiling(experiment, n_folds, report)} if _can_fit() else {}
    return _counted(experiment, staged) | {"n_folds": n_folds, "protocols": protocols, "ceilings": ceilings}


def _can_fit() -> bool:
    """Whether there is what fits here; where the web process lives alone, the first score brings the ceiling."""
    return find_spec("torch") is not None


def _write(material: Material, staged: Path, said: Declaration) -> tuple[int, tuple[str, ...]]:
    """Write the files of a version; the number of folds of `grouped`, and the protocols that it is defined under."""
    stimuli, units, responses = material.stimuli, material.units, material.responses
    if stimuli is None or units is None or responses is None:
        raise RecordingRefused("the data set lacks stimuli, units or responses")
    values = aligned(responses, stimuli, units, Findings())
    n_folds = said.n_folds or most_folds(stimuli)
    assert values is not None, "what was looked over is aligned"
    assert n_folds is not None, "what was looked over has folds"
    write_files(staged, stimuli, units, values)
    protocols = tuple(name for name, reason in refusals(stimuli, n_folds).items() if reason is None)
    return n_folds, protocols


def _ceiling(experiment: Experiment, n_folds: int, report: Report) -> Ceiling:
    def show(fraction: float) -> None:
        report(0.3 + 0.7 * fraction, "computing the ceiling")

    show(0.0)
    rules = protocol_named(GROUPED).brain
    try:
        return ceiling_of(experiment, rules, n_folds, on_progress=show)
    except NumericalFailure as error:
        return Ceiling.none(error.detail)


def _counted(experiment: Experiment, staged: Path) -> dict[str, Any]:
    recording, groups = experiment.measured, experiment.groups
    assert isinstance(recording, Recording)
    files = digests(staged, DATA_FILES)
    parts = tuple(
        PartCounts(
            name=part.name,
            n_stimuli=len(part.rows),
            n_groups=len({groups[row] for row in part.rows}),
            n_units=len(part.units),
            n_incomplete_units=part.n_incomplete_units,
        )
        for part in recording.parts
    )
    return {
        "files": files,
        "n_stimuli": len(experiment.stimuli),
        "n_units": len(recording.units.ids),
        "participants": dict(Counter(recording.units.participants)),
        "parts": parts,
    }
