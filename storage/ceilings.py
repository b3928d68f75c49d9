"""Ceilings that were computed once for a benchmark's data under a protocol, for every later score."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from scoring.results import Ceiling, CeilingMethod

from .engine import now
from .identity import Setting
from .news import savepoint
from .tables import CeilingRow


def find(session: Session, setting: Setting) -> Ceiling | None:
    """The ceiling of this setting; None where nobody has computed it yet."""
    row = session.get(CeilingRow, asdict(setting))
    if row is None:
        return None
    return Ceiling(
        value=row.value,
        method=CeilingMethod(row.method),
        low=row.low,
        high=row.high,
        reason=row.reason,
        at_hand=row.at_hand,
        is_unstable=row.is_unstable,
    )


def keep(session: Session, setting: Setting, ceiling: Ceiling) -> None:
    """Stores the ceiling of this setting; the one that came first stays."""
    if session.get(CeilingRow, asdict(setting)) is not None:
        return
    values = {**asdict(setting), **asdict(ceiling), "method": ceiling.method.value, "created_at": now(session)}
    try:
        with savepoint(session):
            session.execute(sa.insert(CeilingRow).values(**values))
    except IntegrityError:
        return
