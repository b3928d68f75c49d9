"""Reading `times.csv`: single readings or means of words that exist, each once; the same values in one order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ...errors import shown
from ...types import FloatArray, IndexArray
from .cells import MAX_CHARACTERS, check_cells, check_participants
from .corpus_material import (
    DEFAULT_MEASURE,
    MEAN_COLUMNS,
    MEAN_OF_DEFAULT,
    PARTICIPANT,
    SINGLE_COLUMNS,
    SPREAD_COLUMNS,
    CorpusTimes,
    MeanTimes,
    SingleTimes,
    is_time,
)
from .corpus_words import Places, number_of
from .findings import Findings, agreeing, counted, listed, rows_listed
from .material import Table, is_whole, lines_of
from .tables import LARGEST, columns_of, numbers_of, read_rows

MAX_READINGS = 2**24
"""Rows of `times.csv`."""

SHORTEST_MS, LONGEST_MS = 100, 3000
"""Times outside are counted."""

SMALLEST_N_READINGS = 2
"""Of a reader: who read one word tells nothing of how words differ."""


def read_times(
    path: Path, places: Places | None, measure: str, participants: Sequence[str] | None, findings: Findings
) -> CorpusTimes | None:
    """What the file holds of a measure; None, with errors, where it cannot be used.

    `places` are those of the words; `participants` are those that took part, if that was said.
    """
    rows = read_rows(path, (*SINGLE_COLUMNS, *SPREAD_COLUMNS, measure), findings, max_rows=MAX_READINGS)
    if rows is None:
        return None
    header = rows.header
    has_readers = PARTICIPANT in header
    column = MEAN_OF_DEFAULT if measure == DEFAULT_MEASURE and not has_readers else measure
    if column not in header:
        what = "single readings are" if has_readers else "there is no column participant, so that means are"
        detail = f"{path.name} has no column {shown(column)}, where {what} looked for; it has {listed(header)}"
        findings.error("measure_missing", f"{detail}; `measure` names the one to take", param="measure")
        return None
    needed = SINGLE_COLUMNS if has_readers else MEAN_COLUMNS
    table = columns_of(path, rows, (*needed, column), () if has_readers else SPREAD_COLUMNS, findings)
    del rows
    if table is None:
        return None
    if has_readers:
        check_cells(table, "times", findings, names=(PARTICIPANT,))
        check_participants(table, participants, "times", findings)
    values = _numbers(table, column, findings)
    if values is not None and is_time(measure):
        _check_times(table, values, column, findings)
    found = _rows_of_words(table, places, findings) if places is not None and is_whole(table, needed) else None
    if values is None or places is None or found is None:
        return None
    if has_readers:
        return _single_times(table, found, values, findings)
    return _mean_times(table, found, values, findings, n_words=len(places))


def _check_times(table: Table, values: FloatArray, column: str, findings: Findings) -> None:
    """Errors for times that are none, and how many are so short or long that attention was elsewhere."""
    _refuse_rows(table, values <= 0, findings, code="time_not_positive", what=f"times: {column} is 0 or less in")
    n_outlying = int(((values > 0) & ((values < SHORTEST_MS) | (values > LONGEST_MS))).sum())
    if n_outlying:
        share = f"{n_outlying:,} of {int(np.isfinite(values).sum()):,}"
        lie, are = agreeing(n_outlying, "lies", "lie"), agreeing(n_outlying, "it is", "they are")
        findings.warn("time_outlying", f"times: {share} {lie} outside {SHORTEST_MS:,}-{LONGEST_MS:,} ms; {are} kept")


def _single_times(table: Table, words: IndexArray, values: FloatArray, findings: Findings) -> SingleTimes | None:
    if any(len(name) > MAX_CHARACTERS for name in table[PARTICIPANT]):
        return None
    n_before = len(findings.errors)
    readers, owners = np.unique(np.array(table[PARTICIPANT]), return_inverse=True)
    _refuse_repeated(owners * (int(words.max()) + 1) + words, table, (PARTICIPANT, *MEAN_COLUMNS), findings)
    if len(findings.errors) > n_before:
        return None
    is_known = np.isfinite(values)
    if not is_known.all():
        missing = np.flatnonzero(~is_known).tolist()
        verbs = agreeing(len(missing), "has no value and is", "have no value and are")
        places = rows_listed(missing, lines_of(table))
        detail = f"times: {counted(len(missing), 'reading')} {verbs} left out: {places}"
        findings.warn("value_missing", detail)
    counts = np.bincount(owners[is_known], minlength=len(readers))
    _tell_left_out(readers[counts < SMALLEST_N_READINGS].tolist(), findings)
    kept = np.flatnonzero(is_known & (counts[owners] >= SMALLEST_N_READINGS))
    if not len(kept):
        findings.error("readers_missing", f"times: no reader has {SMALLEST_N_READINGS} values")
        return None
    kept = kept[np.lexsort((words[kept], owners[kept]))]
    left, numbered = np.unique(owners[kept], return_inverse=True)
    return SingleTimes(
        readers=tuple(readers[left].tolist()),
        words=words[kept],
        owners=np.asarray(numbered, dtype=np.intp),
        values=values[kept],
    )


def _tell_left_out(names: list[str], findings: Findings) -> None:
    if names:
        has, is_ = agreeing(len(names), "has", "have"), agreeing(len(names), "is", "are")
        who = f"{counted(len(names), 'reader')} {has}"
        detail = f"times: {who} fewer than {SMALLEST_N_READINGS} values and {is_} left out: {listed(names)}"
        findings.warn("reader_left_out", detail)


def _mean_times(
    table: Table, words: IndexArray, values: FloatArray, findings: Findings, *, n_words: int
) -> MeanTimes | None:
    n_before = len(findings.errors)
    _refuse_repeated(words, table, MEAN_COLUMNS, findings)
    spread = {name: _numbers(table, name, findings) for name in SPREAD_COLUMNS if name in table}
    n_readers, sd = spread.get("n"), spread.get("sd")
    if n_readers is not None:
        is_count = np.isnan(n_readers) | ((n_readers >= 1) & (n_readers == np.floor(n_readers)))
        _refuse_rows(table, ~is_count, findings, code="n_malformed", what="times: n is no number of readers in")
    if sd is not None:
        _refuse_rows(table, sd < 0, findings, code="sd_malformed", what="times: sd is negative in")
    absent = [name for name in SPREAD_COLUMNS if name not in table]
    if absent:
        detail = f"times: no column {' and no column '.join(absent)}; without both there is no ceiling"
        findings.warn("spread_unknown", detail)
    if len(findings.errors) > n_before:
        return None
    found = [np.full(n_words, np.nan) for _ in range(3)]
    for column, given in zip(found, (values, n_readers, sd), strict=True):
        if given is not None:
            column[words] = given
    return MeanTimes(means=found[0], n_readers=found[1], sd=found[2])


def _rows_of_words(table: Table, places: Places, findings: Findings) -> IndexArray | None:
    """The row of the word that each row of times is of; None, with an error, where there is no such word."""
    keys = zip(table["story"], map(number_of, table["word_index"]), strict=True)
    found = np.array([-1 if number is None else places.get((story, number), -1) for story, number in keys])
    strange = np.flatnonzero(found < 0).tolist()
    if strange:
        names = listed(dict.fromkeys(_name(table, row) for row in strange))
        are = agreeing(len(strange), "is of a word", "are of words")
        detail = f"times: {rows_listed(strange, lines_of(table))} {are} that words.csv does not have: {names}"
        findings.error("word_unknown", detail)
        return None
    return np.asarray(found, dtype=np.intp)


def _refuse_repeated(keys: IndexArray, table: Table, columns: Sequence[str], findings: Findings) -> None:
    """An error where two rows have the same key."""
    _, first = np.unique(keys, return_index=True)
    again = np.setdiff1d(np.arange(len(keys)), first).tolist()
    if again:
        names = listed([" ".join(table[column][row] for column in columns) for row in again])
        come = agreeing(len(again), "this comes", "these come")
        places = rows_listed(again, lines_of(table))
        detail = f"times: each {', '.join(columns)} stands once; {come} again, in {places}: {names}"
        findings.error("reading_repeated", detail)


def _numbers(table: Table, column: str, findings: Findings) -> FloatArray | None:
    """The numbers of a column, NaN where a cell is empty or says so; None, with an error, where one is no number."""
    values = numbers_of(table[column])
    if isinstance(values, str):
        place = rows_listed([table[column].index(values)], lines_of(table))
        findings.error("not_numbers", f"times: {column} holds {shown(values)} in {place}, which is not a number")
        return None
    is_beyond = np.abs(values) > LARGEST
    what = f"times: {column} is infinite or beyond {LARGEST:,} in"
    _refuse_rows(table, is_beyond, findings, code="value_infinite", what=what)
    return np.where(is_beyond, np.nan, values)


def _refuse_rows(table: Table, is_bad: NDArray[np.bool_], findings: Findings, *, code: str, what: str) -> None:
    rows = np.flatnonzero(is_bad).tolist()
    if rows:
        findings.error(code, f"{what} {rows_listed(rows, lines_of(table))}")


def _name(table: Table, row: int) -> str:
    return f"{table['story'][row]}.{table['word_index'][row]}"
