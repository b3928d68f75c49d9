"""The Celery boundary: a worker whose one task rings the supervisor's bell, and nothing else."""

from __future__ import annotations

import warnings
from typing import Any

from celery import Celery, bootsteps, signals
from celery.platforms import SecurityWarning

from storage.engine import Database
from storage.tally import TallyKeeper

from .guarded import guard
from .processes import adopt_orphans
from .queue import BELL, WAKE, bell_of, make_app
from .settings import WorkerSettings
from .supervisor import Supervisor


def run_worker(settings: WorkerSettings) -> None:
    """Work until SIGTERM or SIGINT; runs under way are then handed back without spending an attempt."""
    guard()
    settings.home.mkdir(parents=True, exist_ok=True)
    adopt_orphans()
    database = Database(settings.resolved_database_url)
    supervisor = Supervisor(settings, database)
    app = build_app(settings, supervisor, TallyKeeper(database))
    # Whoever starts a worker has said where its log goes; Celery would set its own levels and handlers.
    signals.setup_logging.connect(_leave_logging_alone)
    # Celery warns root of pickled messages; only JSON is accepted here.
    warnings.simplefilter("ignore", SecurityWarning)
    app.Worker(
        pool="threads",
        concurrency=1,
        queues=[BELL, bell_of(supervisor.device_class)],
        loglevel="WARNING",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()


def build_app(settings: WorkerSettings, supervisor: Supervisor, keeper: TallyKeeper) -> Celery:
    """The Celery app of a worker: the wake task, and the supervisor as a step of the worker's life."""
    app = make_app(settings)

    def wake(_job_id: str) -> None:
        supervisor.ring()

    app.task(wake, name=WAKE)

    class SupervisorStep(bootsteps.StartStopStep):  # type: ignore[misc]
        """Starts the supervisor's thread with the worker and stops it before the worker ends."""

        def start(self, _worker: Any) -> None:
            keeper.start()
            supervisor.start()

        def stop(self, _worker: Any) -> None:
            supervisor.stop()
            keeper.stop()

        terminate = stop

    app.steps["worker"].add(SupervisorStep)
    return app


def _leave_logging_alone(**_: Any) -> None:
    """Heard instead of Celery's own arrangement."""
