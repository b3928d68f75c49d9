"""Taking a data set in: read, looked over, written down, its ceiling computed, before any model is scored on it.

Run as `python -m scoring.datasets.own.intake FOLDER` it carries out the order in a folder: strangers' files are read by
a process of its own, without secrets and with bounded memory. Progress goes to standard output, a line of JSON each;
what stands in the way is left in the folder as `refusal.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import SCORING_VERSION
from ...ceilings import ceiling_of
from ...errors import CodedError, NumericalFailure, RecordingRefused
from ...parent import when_parent_ends
from ...protocols import protocol_named
from ...recording import Recording
from ...results import Ceiling
from ..base import Experiment
from .arrangement import GROUPED, most_folds, refusals
from .declaration import NOT_STATED, Declaration, check_declaration, read_declaration
from .files import digests, read_experiment, write_files
from .findings import Findings
from .linter import lint
from .manifest import Manifest, Note, PartCounts
from .material import Material
from .order import REFUSAL_FILE, STAGED_FOLDER, UNPACKED_FOLDER, Order
from .reading import read_material
from .response_checks import aligned
from .store import PREFIX
from .unpacking import is_archive, unpack

ROOM_BYTES = 2**32
"""Memory beside eight times what the files may have: for what libraries take, and the folds of the ceiling."""

MAX_CPU_S = 3600
"""Seconds of computing that one upload may take."""

UNBOUNDED = 2**62
"""Bytes that a folder of this machine's own user may have."""

Report = Callable[[float, str], None]


def take_in(order: Order, folder: Path, report: Report = lambda _fraction, _detail: None) -> Manifest:
    """The manifest of the version that is then in `folder`/staged. Raises RecordingRefused with every error."""
    findings = Findings()
    report(0.0, "reading the files")
    source = _opened(order, folder)
    said = order.declared.completed(read_declaration(source, findings))
    check_declaration(said, findings)
    material = read_material(source, findings, max_bytes=order.max_bytes or UNBOUNDED)
    report(0.2, "looking them over")
    lint(material, said.participants, said.n_folds, findings)
    findings.require()
    staged = folder / STAGED_FOLDER
    staged.mkdir()
    n_folds, protocols = _write(material, staged, said)
    experiment = read_experiment(staged)
    ceiling = _ceiling(experiment, order.name, n_folds, report)
    manifest = Manifest(
        **_declared(order.name, said),
        **_counted(experiment, staged),
        n_folds=n_folds,
        protocols=protocols,
        warnings=tuple(Note(code=finding.code, detail=finding.detail) for finding in findings.warnings),
        ceilings={GROUPED: ceiling},
        scoring_version=SCORING_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    manifest.write(staged)
    report(1.0, "done")
    return manifest


def _opened(order: Order, folder: Path) -> Path:
    """The folder with the data set's files."""
    if order.source.is_dir():
        return order.source
    unpacked = folder / UNPACKED_FOLDER
    unpacked.mkdir()
    if is_archive(order.source):
        unpack(order.source, unpacked, max_bytes=order.max_bytes or UNBOUNDED)
    elif _is_netcdf(order.source):
        (unpacked / "assembly.nc").symlink_to(order.source.absolute())
    else:
        raise RecordingRefused(
            "the file is neither a ZIP archive nor netCDF 4",
            hint="send a ZIP archive of the folder, or one .nc file",
        )
    return unpacked


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


def _is_netcdf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x89HDF"


def _ceiling(experiment: Experiment, name: str, n_folds: int, report: Report) -> Ceiling:
    def show(fraction: float) -> None:
        report(0.3 + 0.7 * fraction, "computing the ceiling")

    show(0.0)
    rules = protocol_named(GROUPED).brain_rules(f"{PREFIX}{name}")
    try:
        return ceiling_of(experiment, rules, n_folds, on_progress=show)
    except NumericalFailure as error:
        return Ceiling.none(error.detail)


def _declared(name: str, said: Declaration) -> dict[str, Any]:
    return {
        "title": said.title or name,
        "licence": said.licence or NOT_STATED,
        "citation": said.citation or NOT_STATED,
        "private": bool(said.private),
    }


def _counted(experiment: Experiment, staged: Path) -> dict[str, Any]:
    recording, groups = experiment.measured, experiment.groups
    assert isinstance(recording, Recording)
    files = digests(staged)
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
        "n_bytes": sum((staged / file).stat().st_size for file in files),
        "n_stimuli": len(experiment.stimuli),
        "n_units": len(recording.units.ids),
        "participants": dict(Counter(recording.units.participants)),
        "parts": parts,
    }


def _bound(max_bytes: int) -> None:
    """Bound this process' memory and time from here on, where the system can."""
    import resource

    for what, asked in ((resource.RLIMIT_AS, ROOM_BYTES + 8 * max_bytes), (resource.RLIMIT_CPU, MAX_CPU_S)):
        most = resource.getrlimit(what)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (asked if most == resource.RLIM_INFINITY else min(asked, most), most))


def _say(fraction: float, detail: str) -> None:
    print(json.dumps({"fraction": fraction, "detail": detail}), flush=True)


def main(folder: Path) -> int:
    """Carry out the order in a folder; 0 where the version is there, 1 where a refusal is.

    Ends at once with the process that waits for it.
    """
    when_parent_ends(lambda: os._exit(1))
    order = Order.read(folder)
    if order.max_bytes is not None:
        _bound(order.max_bytes)
    try:
        take_in(order, folder, _say)
    except CodedError as error:
        refusal = {"detail": error.detail, "hint": error.hint, "param": error.param}
    except OSError as error:
        detail = f"{Path(str(error.filename)).name}: {error.strerror}"
        refusal = {"detail": f"a file cannot be read or written: {detail}", "hint": None, "param": None}
    except MemoryError:
        refusal = {"detail": "the data set takes more memory than an upload may", "hint": None, "param": None}
    else:
        return 0
    (folder / REFUSAL_FILE).write_text(json.dumps(refusal), encoding="utf8")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
