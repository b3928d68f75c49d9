"""Which worker processes are alive, by when they were last heard of, and what each can serve.

The runs they hold are told in `storage.runs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from .engine import now
from .news import savepoint
from .run_records import Run
from .tables import WorkerRow
from .transitions import NO_SYNC

NOBODY = "waiting for a worker to start"

GPU_DEVICES = "cuda%"
"""The pattern, as SQL has it, of devices of the class `gpu`."""


@dataclass(frozen=True, kw_only=True)
class Worker:
    """A worker process, what it has for models (None: nothing tells), and when it was last heard of."""

    id: str
    host: str
    pid: int
    device: str
    memory_bytes: int | None
    version: str | None
    started_at: datetime
    seen_at: datetime

    @property
    def device_class(self) -> str:
        """`cpu` or `gpu`: what runs ask for."""
        return class_of(self.device)

    def can_serve(self, run: Run) -> bool:
        """Whether it is of the class, and has the memory, that the run asks for."""
        is_of_class = run.device_class in (None, self.device_class)
        return is_of_class and (run.min_memory_bytes is None or run.min_memory_bytes <= (self.memory_bytes or 0))


def class_of(device: str) -> str:
    """`gpu` for CUDA devices, `cpu` for all else."""
    return "gpu" if device.startswith(GPU_DEVICES.removesuffix("%")) else "cpu"


def beat(
    session: Session,
    *,
    worker_id: str,
    host: str,
    pid: int,
    device: str,
    memory_bytes: int | None = None,
    version: str | None = None,
) -> None:
    """Notes that this worker is alive; the first time, that it exists."""
    at = now(session)
    if _touch(session, worker_id, at):
        return
    try:
        with savepoint(session):
            row = {"id": worker_id, "host": host, "pid": pid, "device": device, "started_at": at, "seen_at": at}
            row |= {"memory_bytes": memory_bytes, "version": version}
            session.execute(sa.insert(WorkerRow).values(**row))
    except IntegrityError:
        _touch(session, worker_id, at)


def known(session: Session) -> tuple[Worker, ...]:
    """Every worker that has not said goodbye, silent ones too, oldest first."""
    query = sa.select(WorkerRow).order_by(WorkerRow.started_at, WorkerRow.id)
    return tuple(map(_from_row, session.scalars(query)))


def alive(session: Session, *, within_s: float) -> tuple[Worker, ...]:
    """The workers heard of in the last seconds, oldest first."""
    since = now(session) - timedelta(seconds=within_s)
    return tuple(worker for worker in known(session) if worker.seen_at >= since)


def forget(session: Session, worker_id: str) -> None:
    """Removes a worker that says goodbye; unknown ones are no error."""
    session.execute(sa.delete(WorkerRow).where(WorkerRow.id == worker_id), execution_options=NO_SYNC)


def forget_silent(session: Session, *, after_s: float) -> None:
    """Removes workers that were not heard of for so long: one that comes back after all is entered again."""
    since = now(session) - timedelta(seconds=after_s)
    session.execute(sa.delete(WorkerRow).where(WorkerRow.seen_at < since), execution_options=NO_SYNC)


def obstacle(runs: Sequence[Run], alive_now: Sequence[Worker]) -> str | None:
    """What waiting runs wait for that no live worker has, in words; None where one can serve them."""
    if not alive_now:
        return NOBODY
    for run in runs:
        if not any(worker.can_serve(run) for worker in alive_now):
            kind = "" if run.device_class is None else f" with a {run.device_class.upper()}"
            room = "" if run.min_memory_bytes is None else f" with {run.min_memory_bytes} bytes of memory"
            return f"waiting for a worker{kind}{room}: none is running"
    return None


def _from_row(row: WorkerRow) -> Worker:
    return Worker(**{field.name: getattr(row, field.name) for field in fields(Worker)})


def _touch(session: Session, worker_id: str, at: datetime) -> bool:
    change = sa.update(WorkerRow).where(WorkerRow.id == worker_id).values(seen_at=at).returning(WorkerRow.id)
    return session.scalars(change, execution_options=NO_SYNC).first() is not None
