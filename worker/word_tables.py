"""The words behind a score of reading, on their way from the scoring process to the supervisor.

A table of words is for audit: whatever is wrong with it, the score stands without it, and the log says why. It travels
as JSON, like all that a child leaves, not as Parquet: a few bytes of that may unpack to any number, and the supervisor,
which holds the database's password, unpacks nothing that a stranger's model may have had a hand in.
"""

from __future__ import annotations

import logging
from pathlib import Path

from pydantic import ValidationError

from scoring.errors import N_SHOWN, NumericalFailure
from scoring.results import Score
from scoring.word_parquet import to_parquet
from scoring.word_table import WordTable

from .exchange import WordsAnswer

MAX_BYTES = 2**25
"""Bytes of a table on its way: about 200,000 words."""

_log = logging.getLogger(__name__)


def words_file(folder: Path, run_id: str) -> Path:
    """Where the scoring process leaves the words behind the score of a run."""
    return folder / f"{run_id}.words.json"


def leave(folder: Path, run_id: str, table: WordTable) -> None:
    """Called in the child: put a table where the supervisor looks for it."""
    WordsAnswer(table=table).write(words_file(folder, run_id))


def collect(folder: Path, run_id: str, score: Score) -> bytes | None:
    """The table that was left for a run as Parquet; None where there is none, or none to be believed beside `score`."""
    try:
        with words_file(folder, run_id).open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        return to_parquet(_checked(data, score))
    except FileNotFoundError:
        return None
    except Exception as error:  # what a child left may be anything, and the score must not be lost for it
        _log.warning("the table of words of run %s was dropped: %s", run_id, _what_is_wrong(error))
        return None


def _checked(data: bytes, score: Score) -> WordTable:
    if len(data) > MAX_BYTES:
        raise NumericalFailure(f"it has more than {MAX_BYTES} bytes")
    table = WordsAnswer.model_validate_json(data, strict=True).table
    if table.n_used != score.n.stimuli:
        raise NumericalFailure(f"{table.n_used} of its words are used, and the score rests on {score.n.stimuli}")
    return table


def _what_is_wrong(error: Exception) -> str:
    """A line without what a stranger may have written."""
    if isinstance(error, NumericalFailure):
        return error.detail
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_input=False, include_url=False)[0]
    return f"{first['type']} at {'.'.join(map(str, first['loc']))[:N_SHOWN]!a}"
