"""What no single worker can see: leases that ran out because a worker died."""

from __future__ import annotations

import logging

from storage import runs
from storage.engine import Database

from .attempt import backoff_s
from .settings import WorkerSettings

_log = logging.getLogger(__name__)


def sweep(database: Database, settings: WorkerSettings) -> None:
    """Queue the runs of silent workers again, or give them up after the last attempt. Any worker may do it."""
    with database.write() as session:
        lost = runs.expire_leases(
            session,
            max_attempts=settings.max_attempts,
            delay_s=lambda attempt: backoff_s(attempt, first_s=settings.backoff_s),
        )
    if lost:
        _log.warning("the leases of %d runs had run out: %s", len(lost), ", ".join(lost))
