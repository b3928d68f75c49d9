"""What can be wrong with responses: their shape, missing and infinite values, units that do not vary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import DataMalformed
from ...recording import ResponseArray
from ...types import IndexArray
from .arrangement import folds_of_parts, parts_of
from .findings import Findings, agreeing, counted, listed, rows_listed
from .material import UNITS_COLUMNS, Responses, Table, is_whole
from .response_order import aligned, lines_in_order

BoolArray = NDArray[np.bool_]

N_UNITS_NAMED = 4
"""Units whose missing rows are listed."""


def check_responses(
    responses: Responses, stimuli: Table | None, units: Table | None, findings: Findings, *, n_folds: int | None
) -> None:
    """Look over the responses of each part, and of each participant in each grouped fold where folds can be made.

    What is infinite is told also where responses and tables disagree or a table is missing.
    """
    is_finite = _check_finite(responses, units, findings)
    values = aligned(responses, stimuli, units, findings)
    if values is None or stimuli is None or units is None or not is_finite or not is_whole(units, UNITS_COLUMNS):
        return
    part, lines, is_complete = np.array(parts_of(stimuli)), lines_in_order(responses, stimuli), []
    for name in dict.fromkeys(part):
        rows = np.flatnonzero(part == name)
        is_missing = _missing_in_some(values, rows)
        if is_missing.any():
            what = f"part {name}: units without a value in some of its rows are left out of it;"
            findings.warn("value_missing", f"{what} {_places(is_missing, units['unit_id'], lines)}")
        is_complete.append(_check_part(values, rows, name, units, findings))
    _check_participants(np.any(is_complete, axis=0), units, findings)
    _check_folds(values, stimuli, units, findings, n_folds=n_folds)


def _check_finite(responses: Responses, units: Table | None, findings: Findings) -> bool:
    """Whether nothing is infinite; with an error that says where, by the rows of the responses' own file."""
    is_infinite = np.isinf(responses.values)
    if not is_infinite.any():
        return True
    n_columns = responses.values.shape[1]
    names = responses.unit_ids or (units or {}).get("unit_id", ())
    if len(names) != n_columns:
        names = tuple(f"column {number}" for number in range(1, n_columns + 1))
    findings.error("value_infinite", f"infinite values in {_places(is_infinite, names, responses.lines)}")
    return False


def _missing_in_some(values: ResponseArray, rows: IndexArray) -> BoolArray:
    """Where a unit has no value that has one in other rows of a part, (n_stimuli, n_units)."""
    found, is_missing = np.zeros(values.shape, dtype=bool), np.isnan(values[rows])
    found[rows] = is_missing & ~is_missing.all(axis=0)
    return found


def _check_part(values: ResponseArray, rows: IndexArray, name: str, units: Table, findings: Findings) -> BoolArray:
    """Which units have a value in every row of a part."""
    own = values[rows]
    is_complete = np.asarray(~np.isnan(own).any(axis=0))
    if not is_complete.any():
        findings.error("part_without_units", f"part {name} has no unit with a value in each of its {len(rows)} rows")
        return is_complete
    is_constant = is_complete & (own.max(axis=0) == own.min(axis=0))
    if is_constant.any():
        names = listed(units["unit_id"][unit] for unit in np.flatnonzero(is_constant))
        n_constant = int(is_constant.sum())
        verbs = agreeing(n_constant, "does not vary and counts", "do not vary and count")
        detail = f"part {name}: {counted(n_constant, 'unit')} {verbs} as without a value: {names}"
        findings.warn("unit_constant", detail)
    return is_complete


def _check_participants(is_complete: BoolArray, units: Table, findings: Findings) -> None:
    owners = np.array(units["participant"])
    idle = [name for name in dict.fromkeys(units["participant"]) if not is_complete[owners == name].any()]
    if idle:
        findings.warn("participant_without_units", f"no unit of {listed(idle)} has a value in every row of any part")


def _check_folds(
    values: ResponseArray, stimuli: Table, units: Table, findings: Findings, *, n_folds: int | None
) -> None:
    """Errors for participants of whom nothing varies in the test rows of a grouped fold: they would have no score."""
    try:
        found = folds_of_parts(stimuli, n_folds) if n_folds else None
    except DataMalformed:
        return
    owners = np.array(units["participant"])
    for name, (rows, folds) in (found or {}).items():
        is_complete = ~np.isnan(values[rows]).any(axis=0)
        for number, fold in enumerate(folds):
            test = values[rows[fold.test]]
            varies = is_complete & (test.max(axis=0) != test.min(axis=0))
            still = [one for one in dict.fromkeys(owners[is_complete].tolist()) if not varies[owners == one].any()]
            if still:
                detail = f"part {name}, fold {number + 1}: no unit of {listed(still)} varies over the test rows"
                findings.error("participant_constant", detail)


def _places(is_bad: BoolArray, names: Sequence[str], lines: Sequence[int] | None) -> str:
    """Which units are concerned, and of the first ones in which rows."""
    concerned = np.flatnonzero(is_bad.any(axis=0))
    places = [
        f"{listed([names[unit]])} ({rows_listed(np.flatnonzero(is_bad[:, unit]).tolist(), lines)})"
        for unit in concerned[:N_UNITS_NAMED]
    ]
    more = f" and {len(concerned) - N_UNITS_NAMED} more" if len(concerned) > N_UNITS_NAMED else ""
    return f"{counted(len(concerned), 'unit')}: {', '.join(places)}{more}"
