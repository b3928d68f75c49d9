"""API keys: made, found, listed, revoked. Whether one lets a request pass is decided in `api.security`.

A key reads `broca_<prefix>_<secret>`. The prefix finds its row and is no secret; of the secret its SHA-256 is kept.
A slow digest, as passwords need, would add nothing: the secret is 256 bits from the system's generator, which nobody
tries out, where a password has perhaps 30.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .engine import now
from .identity import new_id
from .tables import ApiKeyRow

PREFIX_BYTES = 6
SECRET_BYTES = 32

_FORM = re.compile(rf"broca_([0-9a-f]{{{2 * PREFIX_BYTES}}})_([0-9a-f]{{{2 * SECRET_BYTES}}})")


class Scope(StrEnum):
    """What a key may be used for; `admin` includes the others, `submit` includes `read`."""

    READ = "read"
    """Look at everything but other keys' private jobs."""
    SUBMIT = "submit"
    """Ask for scores, and bring models and data."""
    ADMIN = "admin"
    """See and cancel everybody's jobs."""


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key as it is kept: without its secret. A revoked one stays, for the record."""

    id: str
    name: str
    prefix: str
    secret_sha256: str
    scopes: frozenset[Scope]
    created_at: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Presented:
    """A key as a request brings it, taken apart."""

    prefix: str
    secret_sha256: str


def create(session: Session, name: str, scope: Scope) -> tuple[ApiKey, str]:
    """A new key, and the text that whoever gets it has to send: it cannot be had again."""
    prefix, secret = secrets.token_hex(PREFIX_BYTES), secrets.token_hex(SECRET_BYTES)
    row = {
        "id": new_id("key"),
        "name": name,
        "prefix": prefix,
        "secret_sha256": _digest(secret),
        "scopes": [scope.value],
        "created_at": now(session),
    }
    session.execute(sa.insert(ApiKeyRow).values(**row))
    return _require(session, ApiKeyRow.id == row["id"]), f"broca_{prefix}_{secret}"


def parse(text: str) -> Presented | None:
    """A key's text taken apart; None where it does not have the form of one."""
    found = _FORM.fullmatch(text)
    return None if found is None else Presented(prefix=found[1], secret_sha256=_digest(found[2]))


def find(session: Session, prefix: str) -> ApiKey | None:
    """The key of this prefix that is not revoked."""
    return _first(session, sa.and_(ApiKeyRow.prefix == prefix, ApiKeyRow.revoked_at.is_(None)))


def list_keys(session: Session) -> tuple[ApiKey, ...]:
    """Every key, revoked ones too, in the order they were made."""
    rows = session.scalars(sa.select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id))
    return tuple(_view(row) for row in rows)


def revoke(session: Session, key_id: str) -> ApiKey | None:
    """The key, which lets nobody in from now on; None where there is no such key. A second time changes nothing."""
    change = sa.update(ApiKeyRow).where(ApiKeyRow.id == key_id, ApiKeyRow.revoked_at.is_(None))
    session.execute(change.values(revoked_at=now(session)), execution_options={"synchronize_session": False})
    return _first(session, ApiKeyRow.id == key_id)


def has_live(session: Session) -> bool:
    """Whether there is a key that is not revoked."""
    return session.scalar(sa.select(sa.exists().where(ApiKeyRow.revoked_at.is_(None)))) is True


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _first(session: Session, condition: sa.ColumnElement[bool]) -> ApiKey | None:
    row = session.scalars(sa.select(ApiKeyRow).where(condition)).first()
    return None if row is None else _view(row)


def _require(session: Session, condition: sa.ColumnElement[bool]) -> ApiKey:
    found = _first(session, condition)
    assert found is not None, "the row was written in this transaction"
    return found


def _view(row: ApiKeyRow) -> ApiKey:
    values = {field.name: getattr(row, field.name) for field in fields(ApiKey)}
    return ApiKey(**{**values, "scopes": frozenset(Scope(scope) for scope in row.scopes)})
