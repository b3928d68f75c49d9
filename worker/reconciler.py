"""What time leaves to be put right: leases that ran out, runs that waited too long, what dead workers left behind.

Every worker sweeps every few seconds, also while it works: a fleet that is busy takes back what was lost. Any number of
sweeps may run at once. Bells that were lost need no sweep: workers look for work by themselves.
"""

from __future__ import annotations

import logging
import shutil

from storage import idempotency, runs, workers
from storage.engine import Database

from .processes import kill_marked
from .retries import backoff_s
from .settings import WorkerSettings

FORGOTTEN_AFTER_S = 3600.0
"""How long a silent worker is listed."""

_log = logging.getLogger(__name__)


def sweep(database: Database, settings: WorkerSettings) -> None:
    """Put right what is overdue in the database and on this machine."""
    with database.read() as session:
        is_any_overdue = runs.is_any_overdue(session)
    if is_any_overdue:
        _take_back(database, settings)
        _give_up(database)
    _clear_work_folders(database, settings)


def forget(database: Database) -> None:
    """Remove records that have become old: of workers long silent, of requests that may no longer be repeated.

    Runs that wait for memory which none of the workers has are given up first.
    """
    unmet = True
    while unmet:
        with database.write() as session:
            given_up = runs.expire_unmet(session, after_s=FORGOTTEN_AFTER_S)
        unmet = bool(given_up)
        if unmet:
            _log.warning("no worker has the memory for %d runs: %s", len(given_up), ", ".join(given_up))
    with database.write() as session:
        workers.forget_silent(session, after_s=FORGOTTEN_AFTER_S)
        idempotency.forget_old(session)


def _take_back(database: Database, settings: WorkerSettings) -> None:
    lost = True
    while lost:
        with database.write() as session:
            taken = runs.expire_leases(
                session,
                max_attempts=settings.max_attempts,
                delay_s=lambda attempt: backoff_s(attempt, first_s=settings.backoff_s),
            )
        lost = bool(taken)
        if lost:
            _log.warning("the leases of %d runs had run out: %s", len(taken), ", ".join(taken))


def _give_up(database: Database) -> None:
    late = True
    while late:
        with database.write() as session:
            given_up = runs.expire_waiting(session)
        late = bool(given_up)
        if late:
            _log.warning("%d runs waited longer than they were to: %s", len(given_up), ", ".join(given_up))


def _clear_work_folders(database: Database, settings: WorkerSettings) -> None:
    """End what still runs for a claim that is no more, and remove its folder.

    A folder is made after its claim is committed, so one that is listed before the claims is dead without one.
    """
    folders = [*settings.work_folder.iterdir()] if settings.work_folder.is_dir() else []
    if not folders:
        return
    with database.read() as session:
        live = runs.live_tokens(session)
    for folder in folders:
        if folder.name not in live:
            kill_marked(folder)
            shutil.rmtree(folder, ignore_errors=True)
