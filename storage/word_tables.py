"""The words behind scores of reading, one file for each score, written with it and never changed."""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .errors import WordTableNotFound
from .tables import WordTableRow


def keep(session: Session, score_id: str, parquet: bytes) -> None:
    """Stores the words behind a score, as a Parquet file."""
    values = {"score_id": score_id, "parquet": parquet, "sha256": hashlib.sha256(parquet).hexdigest()}
    session.execute(sa.insert(WordTableRow).values(**values))


def get(session: Session, score_id: str) -> bytes:
    """The Parquet file as it was stored; raises WordTableNotFound where the score has none."""
    row = session.get(WordTableRow, score_id)
    if row is None:
        raise WordTableNotFound(
            "the score has no table of words",
            hint="scores of brains have none; an old score of reading gets one when it is made again with `force`",
            param="score_id",
        )
    if hashlib.sha256(row.parquet).hexdigest() != row.sha256:
        raise RuntimeError(f"the table of words of {score_id} is not the one that was stored")
    return row.parquet
