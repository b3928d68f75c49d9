"""A run as it stands, why an attempt failed, and runs that are held together. How runs change: `storage.runs`."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from .errors import RunNotFound
from .states import RunStatus
from .tables import RunRow


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run as it stands; `error` is that of the last failed attempt and gone after a success.

    `device_class`, `min_memory_bytes` and `n_halvings` are what it needs of its worker: see the table.
    """

    id: str
    request_key: str
    model_id: str
    requested_revision: str | None
    revision: str | None
    benchmark: str
    benchmark_version: int
    protocol: str
    options: dict[str, Any]
    seed: int
    scoring_version: str
    force: bool
    device_class: str | None
    min_memory_bytes: int | None
    n_halvings: int
    expires_at: datetime | None
    status: RunStatus
    attempt: int
    token: str | None
    worker: str | None
    lease_until: datetime | None
    not_before: datetime
    fraction: float
    stage: str | None
    detail: str | None
    error: dict[str, Any] | None
    score_id: str | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Why an attempt failed, ready to be kept in a run."""

    code: str
    detail: str
    hint: str | None = None
    param: str | None = None
    retryable: bool = False

    def as_json(self) -> dict[str, Any]:
        """The problem as the column `error` holds it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, kw_only=True)
class Claim:
    """Runs that one worker holds together: one load of the model serves them all."""

    token: str
    model_id: str
    requested_revision: str | None
    options: dict[str, Any]
    runs: tuple[Run, ...]

    @property
    def n_halvings(self) -> int:
        """How often the batch is halved from the start: as often as the neediest of the runs asks for."""
        return max((run.n_halvings for run in self.runs), default=0)


def from_row(row: RunRow) -> Run:
    """The frozen view of a row."""
    return Run(**{field.name: getattr(row, field.name) for field in fields(Run)})


def get(session: Session, run_id: str) -> Run:
    """The run of this id; raises RunNotFound."""
    row = session.scalars(sa.select(RunRow).where(RunRow.id == run_id)).first()
    if row is None:
        raise RunNotFound("no run has this id", param="run_id")
    return from_row(row)
