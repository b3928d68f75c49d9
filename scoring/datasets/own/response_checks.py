"""What can be wrong with responses: their shape, missing and infinite values, units that do not vary."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ...errors import DataMalformed
from ...recording import ResponseArray
from ...types import IndexArray
from .arrangement import folds_of_parts, parts_of
from .findings import Findings, listed, rows_listed
from .material import Responses, Table, n_rows

BoolArray = NDArray[np.bool_]

N_UNITS_NAMED = 4
"""Units whose missing rows are listed."""


def aligned(responses: Responses, stimuli: Table, units: Table, findings: Findings) -> ResponseArray | None:
    """The responses in the order of both tables, (n_stimuli, n_units); None, with errors, where they disagree."""
    n_before = len(findings.errors)
    shape, wanted = responses.values.shape, (n_rows(stimuli), n_rows(units))
    for own, other, what, table in zip(shape, wanted, ("rows", "columns"), ("stimuli", "units"), strict=True):
        if own != other:
            findings.error("lengths_disagree", f"the responses have {own} {what}, but there are {other} {table}")
    rows = _order(responses.stimulus_ids, stimuli["stimulus_id"], "rows", findings)
    columns = _order(responses.unit_ids, units["unit_id"], "columns", findings)
    if len(findings.errors) > n_before:
        return None
    values = responses.values if rows is None else responses.values[rows]
    return values if columns is None else np.ascontiguousarray(values[:, columns])


def check_responses(
    responses: Responses, stimuli: Table, units: Table, findings: Findings, *, n_folds: int | None
) -> None:
    """Look over the responses of each part, and of each participant in each grouped fold where folds can be made."""
    values = aligned(responses, stimuli, units, findings)
    if values is None:
        return
    infinite = np.isinf(values)
    if infinite.any():
        _say_where(infinite, units, "value_infinite", "infinite values in", findings.error)
        return
    part = np.array(parts_of(stimuli))
    is_complete = {
        name: _check_part(values, np.flatnonzero(part == name), name, units, findings) for name in dict.fromkeys(part)
    }
    _check_participants(np.any([*is_complete.values()], axis=0), units, findings)
    _check_folds(values, stimuli, units, findings, n_folds=n_folds)


def _check_part(values: ResponseArray, rows: IndexArray, name: str, units: Table, findings: Findings) -> BoolArray:
    """Which units have a value in every row of a part."""
    own = values[rows]
    is_missing = np.isnan(own)
    is_complete = np.asarray(~is_missing.any(axis=0))
    in_some = np.zeros(values.shape, dtype=bool)
    in_some[rows] = is_missing & ~is_missing.all(axis=0)
    if in_some.any():
        what = f"part {name}: units without a value in some of its rows are left out of it;"
        _say_where(in_some, units, "value_missing", what, findings.warn)
    if not is_complete.any():
        findings.error("part_without_units", f"part {name} has no unit with a value in each of its {len(rows)} rows")
        return is_complete
    is_constant = is_complete & (own.max(axis=0) == own.min(axis=0))
    if is_constant.any():
        names = listed(units["unit_id"][unit] for unit in np.flatnonzero(is_constant))
        detail = f"part {name}: {is_constant.sum()} units do not vary and count as without a value: {names}"
        findings.warn("unit_constant", detail)
    return is_complete


def _check_participants(is_complete: BoolArray, units: Table, findings: Findings) -> None:
    owners = np.array(units["participant"])
    idle = [name for name in dict.fromkeys(owners) if not is_complete[owners == name].any()]
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
            still = [one for one in dict.fromkeys(owners[is_complete]) if not varies[owners == one].any()]
            if still:
                detail = f"part {name}, fold {number + 1}: no unit of {listed(still)} varies over the test rows"
                findings.error("participant_constant", detail)


def _order(given: Sequence[str] | None, wanted: Sequence[str], what: str, findings: Findings) -> IndexArray | None:
    """Where each wanted name stands among those given; None where nothing is named, or, with an error, not the same."""
    if given is None:
        return None
    place = {name: index for index, name in enumerate(given)}
    missing, strange = [name for name in wanted if name not in place], sorted({*given} - {*wanted})
    if missing or strange or len(place) != len(given):
        lacking = f"; lacking: {listed(missing)}" if missing else ""
        unknown = f"; unknown: {listed(strange)}" if strange else ""
        findings.error("names_disagree", f"the {what} of the responses are not named as in the table{lacking}{unknown}")
        return None
    return np.array([place[name] for name in wanted], dtype=np.intp)


def _say_where(is_bad: BoolArray, units: Table, code: str, what: str, say: Callable[[str, str], None]) -> None:
    """Which units are concerned, and of the first ones in which rows."""
    concerned = np.flatnonzero(is_bad.any(axis=0))
    places = [
        f"{listed([units['unit_id'][unit]])} ({rows_listed(np.flatnonzero(is_bad[:, unit]).tolist())})"
        for unit in concerned[:N_UNITS_NAMED]
    ]
    more = f" and {len(concerned) - N_UNITS_NAMED} more" if len(concerned) > N_UNITS_NAMED else ""
    say(code, f"{what} {len(concerned)} units: {', '.join(places)}{more}")
