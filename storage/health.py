"""How the database itself does: where it is, which schema, whose clock, and whether its file is whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Session

from . import schema, workers
from .engine import Database, now
from .workers import Worker


@dataclass(frozen=True, kw_only=True)
class Health:
    """What the database answers; `damage` is what SQLite's quick check says where the file is not whole."""

    address: str
    schema: str
    now: datetime
    damage: str | None
    workers: tuple[Worker, ...]


def look(database: Database, *, worker_silence_s: float) -> Health:
    """Ask a database whose schema is current. The address is given without its password."""
    with database.read() as session:
        return Health(
            address=database.url.render_as_string(hide_password=True),
            schema=schema.newest(),
            now=now(session),
            damage=_damage(session) if database.is_sqlite else None,
            workers=workers.alive(session, within_s=worker_silence_s),
        )


def _damage(session: Session) -> str | None:
    said = session.scalar(sa.text("PRAGMA quick_check(1)"))
    return None if said == "ok" else str(said)
