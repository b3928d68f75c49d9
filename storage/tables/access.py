"""Tables of who may ask, and of what was asked twice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from ..columns import JsonColumn
from .base import Base


class ApiKeyRow(Base):
    """A key that somebody was given. Of its secret only a digest is kept; a revoked key stays, for the record."""

    __tablename__ = "api_keys"
    __table_args__ = (sa.Index("uq_api_keys_prefix", "prefix", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    prefix: Mapped[str]
    secret_sha256: Mapped[str]
    scopes: Mapped[list[Any]] = mapped_column(JsonColumn)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IdempotencyKeyRow(Base):
    """That a client's `Idempotency-Key` has already made a job, and from which body.

    `owner` is the id of the API key that asked, empty where none is needed.
    """

    __tablename__ = "idempotency_keys"
    __table_args__ = (sa.Index("ix_idempotency_keys_created_at", "created_at"),)

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_sha256: Mapped[str]
    job_id: Mapped[str] = mapped_column(sa.ForeignKey("jobs.id"))
    created_at: Mapped[datetime]
