"""The files of a version, written in one way whichever way they were brought, and read again for scoring."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import numpy as np

from ...errors import DataMalformed
from ...recording import Recording, ResponseArray, Units
from ...types import FloatArray, Passage, Stimuli
from ..base import Experiment
from .arrangement import arrangement, parts_of
from .findings import Findings
from .material import (
    STIMULI_COLUMNS,
    STIMULI_FILE,
    UNITS_COLUMNS,
    UNITS_EXTRAS,
    UNITS_FILE,
    WHOLE,
    Table,
)
from .tables import read_table, write_table

RESPONSES_FILE = "responses.npy"
DATA_FILES = (RESPONSES_FILE, STIMULI_FILE, UNITS_FILE)

UNNAMED_REGION = "unnamed"
"""Where a unit lies of which the column `roi` says nothing."""


def write_files(folder: Path, stimuli: Table, units: Table, values: ResponseArray) -> None:
    """Write stimuli, in the order that they are read in, units, and responses (n_stimuli, n_units)."""
    order = arrangement(stimuli)
    columns = {name: stimuli[name] for name in STIMULI_COLUMNS} | {"part": parts_of(stimuli)}
    write_table(folder / STIMULI_FILE, {name: [column[row] for row in order] for name, column in columns.items()})
    known = [name for name in (*UNITS_COLUMNS, *UNITS_EXTRAS) if name in units]
    write_table(folder / UNITS_FILE, {name: units[name] for name in known})
    np.save(folder / RESPONSES_FILE, values[order])


def read_experiment(folder: Path) -> Experiment:
    """The data that were written there. Raises DataMalformed."""
    findings = Findings()
    stimuli = read_table(folder / STIMULI_FILE, (*STIMULI_COLUMNS, "part"), (), findings)
    units = read_table(folder / UNITS_FILE, UNITS_COLUMNS, UNITS_EXTRAS, findings)
    findings.require()
    assert stimuli is not None
    assert units is not None
    try:
        values = np.load(folder / RESPONSES_FILE, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataMalformed(f"{RESPONSES_FILE} cannot be read") from error
    part = np.array(stimuli["part"])
    rows_of_parts = {name: np.flatnonzero(part == name) for name in dict.fromkeys(stimuli["part"])}
    recording = Recording.of(values, _units(units), rows_of_parts)
    return Experiment(stimuli=_stimuli(stimuli), measured=recording, ceiling=None)


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """The sha256 of each of these files in a folder."""
    found = {}
    for name in names:
        with (folder / name).open("rb") as stream:
            found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def _stimuli(table: Table) -> Stimuli:
    """Passages of different parts stay apart, even if they have the same name."""
    has_parts = set(table["part"]) != {WHOLE}
    rows = zip(table["part"], table["passage"], table["text"], strict=True)
    return Stimuli(
        ids=table["stimulus_id"],
        passages=tuple(
            Passage.join(f"{part}.{passage}" if has_parts else passage, [text for *_, text in group])
            for (part, passage), group in groupby(rows, key=lambda row: row[:2])
        ),
        groups=table["group"],
    )


def _units(table: Table) -> Units:
    regions = table.get("roi")
    return Units(
        ids=table["unit_id"],
        participants=table["participant"],
        regions=None if regions is None else tuple(region.strip() or UNNAMED_REGION for region in regions),
        coordinates=_coordinates(table),
    )


def _coordinates(table: Table) -> FloatArray | None:
    if "x" not in table:
        return None
    return np.array([[float(cell) for cell in table[axis]] for axis in ("x", "y", "z")]).T
