"""The words or units behind scores, one file for each score, written with it and never changed."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .errors import StorageError, UnitTableNotFound, WordTableNotFound
from .tables import UnitTableRow, WordTableRow

WORDS, UNITS = "words", "units"

_ROWS = {WORDS: WordTableRow, UNITS: UnitTableRow}


def keep(session: Session, score_id: str, kind: str, parquet: bytes) -> None:
    """Stores the words or units behind a score, as a Parquet file."""
    values = {"score_id": score_id, "parquet": parquet, "sha256": hashlib.sha256(parquet).hexdigest()}
    session.execute(sa.insert(_ROWS[kind]).values(**values))


def get(session: Session, score_id: str, kind: str) -> bytes:
    """The Parquet file as it was stored; raises WordTableNotFound, UnitTableNotFound where the score has none."""
    row: WordTableRow | UnitTableRow | None
    row = session.get(WordTableRow, score_id) if kind == WORDS else session.get(UnitTableRow, score_id)
    if row is None:
        raise _missing(kind)
    if hashlib.sha256(row.parquet).hexdigest() != row.sha256:
        raise RuntimeError(f"the table of {kind} of {score_id} is not the one that was stored")
    return row.parquet


def _missing(kind: str) -> StorageError:
    if kind == WORDS:
        hint = (
            "scores of brains have none, nor has one of more than about 200,000 words; "
            "an old score of reading gets one when it is made again with `force`"
        )
        return WordTableNotFound("the score has no table of words", hint=hint, param="score_id")
    hint = (
        "scores of reading and baselines have none, nor has one of more than about 200,000 units; "
        "an old score of brains gets one when it is made again with `force`"
    )
    return UnitTableNotFound("the score has no table of units", hint=hint, param="score_id")
