"""What a worker that died leaves behind: leases that run out, and folders that nobody works in."""

from __future__ import annotations

import logging
import shutil

from storage import runs
from storage.engine import Database

from .retries import backoff_s
from .settings import WorkerSettings

_log = logging.getLogger(__name__)


def sweep(database: Database, settings: WorkerSettings) -> None:
    """Take back the runs of silent workers and remove what they left on this disk. Any worker may do it."""
    _take_back(database, settings)
    _clear_work_folders(database, settings)


def _take_back(database: Database, settings: WorkerSettings) -> None:
    with database.write() as session:
        lost = runs.expire_leases(
            session,
            max_attempts=settings.max_attempts,
            delay_s=lambda attempt: backoff_s(attempt, first_s=settings.backoff_s),
        )
    if lost:
        _log.warning("the leases of %d runs had run out: %s", len(lost), ", ".join(lost))


def _clear_work_folders(database: Database, settings: WorkerSettings) -> None:
    """A folder is made after its claim is committed, so one that is listed before the claims is dead without one."""
    folders = [*settings.work_folder.iterdir()] if settings.work_folder.is_dir() else []
    if not folders:
        return
    with database.read() as session:
        live = runs.live_tokens(session)
    for folder in folders:
        if folder.name not in live:
            shutil.rmtree(folder, ignore_errors=True)
