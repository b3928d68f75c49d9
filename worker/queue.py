"""The doorbell. What belongs here: all that the web process may import of the workers.

The database owns every job; a message on the broker only wakes a worker earlier than its next look into the database.
So a bell may be lost, doubled or late without harm, and ringing never holds up or fails a request.
"""

from __future__ import annotations

import logging
import queue
import threading
from pathlib import Path
from typing import Any

from celery import Celery

from .file_bells import TRANSPORT
from .queue_settings import QueueSettings as QueueSettings  # whoever rings needs both

WAKE = "broca.wake"
"""Name of the one task: it carries a job's id for the eye only."""

BELL = "broca"
"""The queue that every worker hears. A bell only wakes: what the worker then takes, the database decides."""

BELL_EXPIRES_S = 60
BROKER_TIMEOUT_S = 3

MAX_WAITING = 100
"""Messages in a queue beyond which no bell is rung: brokers drop what has expired only when somebody takes it."""

_log = logging.getLogger(__name__)


def make_app(settings: QueueSettings) -> Celery:
    """The Celery app: JSON only, no results, messages that expire."""
    app = Celery("broca", broker=settings.broker_url or "filesystem://")
    app.conf.update(
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_default_queue=BELL,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # a worker whose broker is away for long polls on; by default it would end
        broker_transport=None if settings.broker_url else TRANSPORT,
        broker_transport_options=_transport_options(settings),
    )
    return app


def broker_problem(settings: QueueSettings) -> str | None:
    """Why the broker does not answer, without its address; None where it does."""
    with make_app(settings) as app, app.connection_for_write() as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=BROKER_TIMEOUT_S)
        except Exception as error:  # each transport has errors of its own
            return f"it does not answer: {type(error).__name__}"
    return None


class Bell:
    """Rings from a background thread, so that a broker that hangs or is away holds nobody up."""

    def __init__(self, settings: QueueSettings) -> None:
        self._app = make_app(settings)
        self._rung: queue.SimpleQueue[tuple[str, str] | None] = queue.SimpleQueue()
        self._state = "not rung yet"
        self._thread = threading.Thread(target=self._publish, name="bell", daemon=True)
        self._thread.start()

    def ring(self, job_id: str, *, device_class: str | None = None) -> None:
        """Wake a worker, soon, of this class where only such can take the job. Returns at once and never raises."""
        self._rung.put((job_id, BELL if device_class is None else bell_of(device_class)))

    @property
    def state(self) -> str:
        """`ok`, `unreachable`, or `not rung yet`: how the last ring went."""
        return self._state

    def close(self) -> None:
        """Let what was rung go out, within the time that a broker is given."""
        self._rung.put(None)
        self._thread.join(timeout=2 * BROKER_TIMEOUT_S)

    def _publish(self) -> None:
        while (rung := self._rung.get()) is not None:
            job_id, bell = rung
            try:
                self._send(job_id, bell)
                self._state = "ok"
            except Exception as error:  # the bell is a courtesy: whatever went wrong, workers look by themselves
                self._state = "unreachable"
                _log.warning("the bell for job %s could not be rung: %s", job_id, error)
        self._app.close()

    def _send(self, job_id: str, bell: str) -> None:
        """Ring, unless so many wait already that whoever comes to listen is woken anyhow."""
        with self._app.producer_or_acquire() as producer:
            if producer.channel.queue_declare(queue=bell).message_count < MAX_WAITING:
                options = {"queue": bell, "expires": BELL_EXPIRES_S, "retry": False, "producer": producer}
                self._app.send_task(WAKE, args=[job_id], **options)


def bell_of(device_class: str) -> str:
    """The queue that only workers of this class (`cpu`, `gpu`) hear."""
    return f"{BELL}.{device_class}"


def _transport_options(settings: QueueSettings) -> dict[str, Any]:
    if settings.broker_url is not None:
        return {"socket_connect_timeout": BROKER_TIMEOUT_S, "socket_timeout": BROKER_TIMEOUT_S, "max_retries": 1}
    folder = settings.home / "broker"
    for path in (folder / "messages", folder / "control"):
        Path(path).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "messages"),
        "data_folder_out": str(folder / "messages"),
        "control_folder": str(folder / "control"),
        "polling_interval": 0.2,
    }
