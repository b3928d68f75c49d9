"""Looking a data set over as a whole: every check says all that it finds, and none stops the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import isfinite

from ...errors import shown
from ...regression.folds import comes_again
from .arrangement import GROUPED, MOST_FOLDS, folds_of_parts, most_folds, parts_of, refusals
from .cells import check_cells, check_participants, is_no_text, refuse_cells
from .declaration import SMALLEST_N_FOLDS
from .findings import Findings, agreeing, listed, rows_listed
from .material import STIMULI_COLUMNS, Material, Table, is_whole, lines_of, n_rows
from .response_checks import check_responses

MAX_PARTS = 64
"""Sub-experiments of one recording."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the start of a formula."""


def lint(material: Material, participants: Sequence[str] | None, n_folds: int | None, findings: Findings) -> None:
    """Look over stimuli, units, responses and folds; `participants` are those that took part, if that was said.

    Of a table that lacks a column, or is missing, what does not ask for it is looked over all the same.
    """
    stimuli, units = material.stimuli, material.units
    found_folds = None
    if stimuli is not None:
        n_before = len(findings.errors)
        check_stimuli(stimuli, findings)
        is_sound = len(findings.errors) == n_before and is_whole(stimuli, STIMULI_COLUMNS)
        _check_groups(stimuli, findings)
        found_folds = check_folds(stimuli, n_folds, findings) if is_sound else None
    if units is not None:
        check_units(units, participants, findings)
    if stimuli is not None and len(set(parts_of(stimuli))) > MAX_PARTS:
        findings.error("parts_too_many", f"stimuli: more than {MAX_PARTS} parts; each is fitted by itself")
    elif material.responses is not None:
        check_responses(material.responses, stimuli, units, findings, n_folds=found_folds)


def check_stimuli(stimuli: Table, findings: Findings) -> None:
    """Cells that are blank or cannot be shown, ids that are not unique, positions that are none."""
    check_cells(stimuli, "stimuli", findings, names=("stimulus_id", "passage", "group", "part"))
    refuse_cells(
        stimuli, "text", lambda text: not text.strip(), findings, code="cell_blank", what="stimuli: no text in"
    )
    refuse_cells(stimuli, "text", is_no_text, findings, code="not_text", what="stimuli: bytes that are no text in")
    _check_unique(stimuli, "stimulus_id", findings)
    _check_positions(stimuli, findings)
    formulas = [row for row, text in enumerate(stimuli.get("text", ())) if text.startswith(FORMULA_STARTS)]
    if formulas:
        places = rows_listed(formulas, lines_of(stimuli))
        detail = f"a spreadsheet would take the text in {places} for a formula; it is kept as it is"
        findings.warn("text_like_formula", detail)


def check_units(units: Table, participants: Sequence[str] | None, findings: Findings) -> None:
    """Whose each unit is, where it lies, and that it has a name of its own."""
    check_cells(units, "units", findings, names=("unit_id", "participant"))
    _check_unique(units, "unit_id", findings)
    _check_space(units, findings)
    if "roi" in units:
        rows = [row for row, region in enumerate(units["roi"]) if not region.strip()]
        if rows:
            findings.warn("region_blank", f"units: no roi in {rows_listed(rows, lines_of(units))}")
    check_participants(units, participants, "units", findings)


def check_folds(stimuli: Table, n_folds: int | None, findings: Findings) -> int | None:
    """The number of folds: whether whole groups can be held out, and under which other protocols folds can be made.

    None, with an error, where they cannot be under `grouped`.
    """
    most = most_folds(stimuli)
    wanted = n_folds or most or SMALLEST_N_FOLDS
    found = refusals(stimuli, wanted)
    if found[GROUPED] is not None:
        hint = (
            f"{most} folds would do" if most else f"no number of folds from {SMALLEST_N_FOLDS} to {MOST_FOLDS} would do"
        )
        detail = f"{wanted} folds of whole groups: {found[GROUPED]}; {hint}"
        findings.error("folds_impossible", detail, param="n_folds")
        return None
    for name, reason in found.items():
        if reason is not None:
            findings.warn("protocol_unavailable", f"not defined under {name}: {reason}")
    sizes = [len(fold.test) for _, folds in folds_of_parts(stimuli, wanted).values() for fold in folds]
    if max(sizes) > 3 * min(sizes):
        findings.warn("folds_uneven", f"folds of whole groups have from {min(sizes)} to {max(sizes)} test rows")
    return wanted


def _check_positions(stimuli: Table, findings: Findings) -> None:
    what = "stimuli: no number as position in"
    refuse_cells(stimuli, "position", _is_no_number, findings, code="position_malformed", what=what)
    if not is_whole(stimuli, ("passage", "position")):
        return
    part = stimuli.get("part", ("",) * n_rows(stimuli))
    places = Counter(zip(part, stimuli["passage"], stimuli["position"], strict=True))
    twice = [f"{position} in {passage}" for (_, passage, position), count in places.items() if count > 1]
    if twice:
        findings.error("position_repeated", f"a position stands twice in its passage: {listed(twice)}")


def _check_groups(stimuli: Table, findings: Findings) -> None:
    """Texts that training and test could share, and passages that they could share."""
    if "group" not in stimuli:
        return
    rows_of: dict[str, list[int]] = {}
    for row, text in enumerate(stimuli.get("text", ())):
        if not comes_again(text):
            rows_of.setdefault(text, []).append(row)
    split = {text: rows for text, rows in rows_of.items() if len({stimuli["group"][row] for row in rows}) > 1}
    if split:
        texts = "; ".join(
            f"{shown(text)} in {rows_listed(rows, lines_of(stimuli))}" for text, rows in [*split.items()][:3]
        )
        more = f" and {len(split) - 3} more" if len(split) > 3 else ""
        findings.error("text_in_two_groups", f"training could contain the test: {texts}{more}")
    groups_of: dict[str, set[str]] = {}
    for passage, group in zip(stimuli.get("passage", stimuli["group"]), stimuli["group"], strict=True):
        groups_of.setdefault(passage, set()).add(group)
    torn = [passage for passage, groups in groups_of.items() if len(groups) > 1]
    if torn:
        detail = f"stimuli of one passage are read in one context, but stand in several groups: {listed(torn)}"
        findings.warn("passage_in_two_groups", detail)


def _check_unique(table: Table, column: str, findings: Findings) -> None:
    ids = table.get(column, ())
    first = {name: row for row, name in reversed([*enumerate(ids)])}
    again = [row for row, name in enumerate(ids) if first[name] < row]
    if again:
        places = rows_listed(again, lines_of(table))
        repeated = dict.fromkeys(ids[row] for row in again)
        come = f"{listed(repeated)} {agreeing(len(repeated), 'comes', 'come')}"
        findings.error("id_repeated", f"each {column} has to stand once; {come} again in {places}")


def _check_space(units: Table, findings: Findings) -> None:
    axes = [axis for axis in ("x", "y", "z") if axis in units]
    if axes and len(axes) < 3:
        findings.error("coordinates_incomplete", f"units: {' and '.join(axes)} without the rest of x, y, z")
    for axis in axes:
        what = f"units: no number as {axis} in"
        refuse_cells(units, axis, _is_no_number, findings, code="coordinates_malformed", what=what)


def _is_no_number(cell: str) -> bool:
    try:
        return not isfinite(float(cell))
    except ValueError:
        return True
