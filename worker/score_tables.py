"""The words or units behind a score, on their way from the scoring process to the supervisor.

Such a table is for audit: whatever is wrong with it, the score stands without it, and the log says why. It travels as
JSON, like all that a child leaves, not as Parquet: a few bytes of that may unpack to any number, and the supervisor,
which holds the database's password, unpacks nothing that a stranger's model may have had a hand in.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from scoring.column_table import ColumnTable
from scoring.errors import N_SHOWN, NumericalFailure
from scoring.results import Score
from scoring.table_parquet import to_parquet
from scoring.word_table import WordTable

from .exchange import UnitsAnswer, WordsAnswer

MAX_BYTES = 2**25
"""Bytes of a table on its way: about 200,000 words or units."""

ANSWERS: Mapping[str, type[WordsAnswer | UnitsAnswer]] = {"words": WordsAnswer, "units": UnitsAnswer}
"""How each kind of table travels, by what its rows are of."""

_log = logging.getLogger(__name__)


def table_file(folder: Path, run_id: str, kind: str) -> Path:
    """Where the scoring process leaves the table of this kind behind the score of a run."""
    return folder / f"{run_id}.{kind}.json"


def leave(folder: Path, run_id: str, table: ColumnTable) -> None:
    """Called in the child: put a table where the supervisor looks for it."""
    answer = ANSWERS[table.OF].model_validate({"table": table})
    answer.write(table_file(folder, run_id, table.OF))


def collect(folder: Path, run_id: str, score: Score) -> dict[str, bytes]:
    """The tables that were left for a run as Parquet by their kind, but those that are not to be believed."""
    found = {kind: _collected(table_file(folder, run_id, kind), kind, run_id, score) for kind in ANSWERS}
    return {kind: data for kind, data in found.items() if data is not None}


def _collected(file: Path, kind: str, run_id: str, score: Score) -> bytes | None:
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return to_parquet(_checked(data, kind, score))
    except FileNotFoundError:
        return None
    except Exception as error:  # what a child left may be anything, and the score must not be lost for it
        _log.warning("the table of %s of run %s was dropped: %s", kind, run_id, _what_is_wrong(error))
        return None


def _checked(data: bytes, kind: str, score: Score) -> ColumnTable:
    if len(data) > MAX_BYTES:
        raise NumericalFailure(f"it has more than {MAX_BYTES} bytes")
    table = ANSWERS[kind].model_validate_json(data, strict=True).table
    rests_on = score.n.stimuli if kind == WordTable.OF else score.n.valid_units
    if table.n_counted != rests_on:
        raise NumericalFailure(f"{table.n_counted} of its {kind} count, and the score rests on {rests_on}")
    return table


def _what_is_wrong(error: Exception) -> str:
    """A line without what a stranger may have written."""
    if isinstance(error, NumericalFailure):
        return error.detail
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{first['type']} at {'.'.join(map(str, first['loc']))[:N_SHOWN]!a}"
