"""In which order stimuli stand, which parts they make, and what is held out together."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...errors import DataMalformed
from ...protocols import PROTOCOLS, Protocol, protocol_named
from ...regression.folds import Fold, make_folds
from ...types import IndexArray
from .declaration import SMALLEST_N_FOLDS
from .findings import counted
from .material import WHOLE, Table, n_rows

MOST_FOLDS = 10
"""As many are made where nobody says how many."""

GROUPED = "grouped"


def parts_of(stimuli: Table) -> tuple[str, ...]:
    """The part of each stimulus."""
    return stimuli.get("part", (WHOLE,) * n_rows(stimuli))


def arrangement(stimuli: Table) -> IndexArray:
    """The rows in the order that passages are read in, (n_stimuli,).

    Parts and their passages stand in order of first appearance, stimuli of a passage by `position` where there is one.
    """
    part, passage = parts_of(stimuli), stimuli["passage"]
    places: dict[str | tuple[str, str], int] = {}
    for row, own in enumerate(zip(part, passage, strict=True)):
        places.setdefault(own[0], row)
        places.setdefault(own, row)
    position = stimuli.get("position", ("0",) * len(part))

    def place(row: int) -> tuple[int, int, float]:
        return places[part[row]], places[part[row], passage[row]], float(position[row])

    return np.array(sorted(range(len(part)), key=place), dtype=np.intp)


def rows_of_parts(stimuli: Table) -> Mapping[str, IndexArray]:
    """The rows of each part, as they are arranged."""
    found: dict[str, list[int]] = {}
    part = parts_of(stimuli)
    for row in arrangement(stimuli):
        found.setdefault(part[row], []).append(int(row))
    return {name: np.array(rows, dtype=np.intp) for name, rows in found.items()}


def folds_of_parts(
    stimuli: Table, n_folds: int, protocol: Protocol | None = None
) -> Mapping[str, tuple[IndexArray, tuple[Fold, ...]]]:
    """Of each part its rows and its folds, under `grouped` if not under another protocol; numbered within the part.

    Raises DataMalformed where folds cannot be made.
    """
    split = (protocol or protocol_named(GROUPED)).brain.split
    found = {}
    for name, rows in rows_of_parts(stimuli).items():
        groups, passages = ([stimuli[column][row] for row in rows] for column in ("group", "passage"))
        try:
            found[name] = rows, make_folds(split, groups, passages, n_folds=n_folds)
        except ValueError as error:
            raise DataMalformed(f"part {name}: {error}") from error
        except DataMalformed as error:
            within = f"{counted(len(set(groups)), 'group')} and {counted(len(set(passages)), 'passage')}"
            described = f"{counted(len(rows), 'row')} in {within}"
            raise DataMalformed(f"part {name} ({described}): {error.detail}") from error
    return found


def most_folds(stimuli: Table) -> int | None:
    """The greatest number of grouped folds, at most 10, that every part allows; None where not even three are."""
    for n_folds in range(MOST_FOLDS, SMALLEST_N_FOLDS - 1, -1):
        try:
            folds_of_parts(stimuli, n_folds)
        except DataMalformed:
            continue
        return n_folds
    return None


def refusals(stimuli: Table, n_folds: int) -> dict[str, str | None]:
    """Of each protocol why no folds can be made under it; None where they can."""
    found: dict[str, str | None] = {}
    for name, protocol in PROTOCOLS.items():
        try:
            folds_of_parts(stimuli, n_folds, protocol)
        except DataMalformed as error:
            found[name] = error.detail
        else:
            found[name] = None
    return found
