"""Which row of the responses is of which stimulus, and which column of which unit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...recording import ResponseArray
from ...types import IndexArray
from .findings import Findings, agreeing, counted, listed, rows_listed
from .material import STIMULI_FILE, UNITS_FILE, Responses, Table, lines_of, n_rows


def aligned(
    responses: Responses, stimuli: Table | None, units: Table | None, findings: Findings
) -> ResponseArray | None:
    """The responses in the order of both tables, (n_stimuli, n_units); None where they disagree or one is missing.

    With errors for all in which they disagree with the tables that are there.
    """
    n_before = len(findings.errors)
    rows = None if stimuli is None else _order_of_rows(responses, stimuli, findings)
    columns = None if units is None else _order_of_columns(responses, units, findings)
    if stimuli is None or units is None or len(findings.errors) > n_before:
        return None
    values = responses.values if rows is None else responses.values[rows]
    return values if columns is None else np.ascontiguousarray(values[:, columns])


def lines_in_order(responses: Responses, stimuli: Table) -> Sequence[int] | None:
    """The line of the responses' file on which each stimulus has its row; None where it has no lines."""
    if responses.lines is None or responses.stimulus_ids is None or "stimulus_id" not in stimuli:
        return responses.lines
    line = dict(zip(responses.stimulus_ids, responses.lines, strict=True))
    return [line[name] for name in stimuli["stimulus_id"]]


def _order_of_rows(responses: Responses, stimuli: Table, findings: Findings) -> IndexArray | None:
    """Where the row of each stimulus stands; None where rows are not named, or, with errors, do not fit."""
    n_own, n_wanted = responses.values.shape[0], n_rows(stimuli)
    if n_own != n_wanted:
        there = agreeing(n_wanted, "is 1 stimulus", f"are {n_wanted:,} stimuli")
        findings.error("lengths_disagree", f"{responses.file} has {counted(n_own, 'row')}, but there {there}")
    given, wanted = responses.stimulus_ids, stimuli.get("stimulus_id")
    if given is None or wanted is None:
        return None
    file, known, place = responses.file, {*wanted}, {name: row for row, name in enumerate(given)}
    told = []
    strange = [row for row, name in enumerate(given) if name not in known]
    if strange:
        names = f"{listed(given[row] for row in strange)} {agreeing(len(strange), 'is', 'are')}"
        told.append(f"{file} {rows_listed(strange, responses.lines)}: {names} not in {STIMULI_FILE}")
    missing = [row for row, name in enumerate(wanted) if name not in place]
    if missing:
        names = f"{listed(wanted[row] for row in missing)} {agreeing(len(missing), 'has', 'have')}"
        told.append(f"{STIMULI_FILE} {rows_listed(missing, lines_of(stimuli))}: {names} no row in {file}")
    again = [row for row, name in enumerate(given) if place[name] != row]
    if again:
        names = f"{listed(given[row] for row in again)} {agreeing(len(again), 'comes', 'come')}"
        told.append(f"{file} {rows_listed(again, responses.lines)}: {names} again later")
    return _order(place, wanted, told, findings)


def _order_of_columns(responses: Responses, units: Table, findings: Findings) -> IndexArray | None:
    """Where the column of each unit stands; None where columns are not named, or, with errors, do not fit."""
    n_own, n_wanted = responses.values.shape[1], n_rows(units)
    if n_own != n_wanted:
        there = f"{agreeing(n_wanted, 'is', 'are')} {counted(n_wanted, 'unit')}"
        findings.error("lengths_disagree", f"{responses.file} has {counted(n_own, 'column')}, but there {there}")
    given, wanted = responses.unit_ids, units.get("unit_id")
    if given is None or wanted is None:
        return None
    file, known, place = responses.file, {*wanted}, {name: column for column, name in enumerate(given)}
    told = []
    strange = [name for name in given if name not in known]
    if strange:
        what = agreeing(len(strange), "the column", "the columns")
        told.append(f"{file}: {what} {listed(strange)} {agreeing(len(strange), 'is', 'are')} not in {UNITS_FILE}")
    missing = [row for row, name in enumerate(wanted) if name not in place]
    if missing:
        names = f"{listed(wanted[row] for row in missing)} {agreeing(len(missing), 'has', 'have')}"
        told.append(f"{UNITS_FILE} {rows_listed(missing, lines_of(units))}: {names} no column in {file}")
    return _order(place, wanted, told, findings)


def _order(place: dict[str, int], wanted: Sequence[str], told: Sequence[str], findings: Findings) -> IndexArray | None:
    if told:
        findings.error("names_disagree", "; ".join(told))
        return None
    return np.array([place[name] for name in wanted], dtype=np.intp)
