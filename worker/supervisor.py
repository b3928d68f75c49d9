"""One thread in every worker: wait for a bell or a few seconds, claim, attempt, repeat."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading

from structlog.contextvars import bind_contextvars

from storage import runs, workers
from storage.engine import Database

from .attempt import Attempt
from .device import detect_device
from .reconciler import sweep
from .settings import WorkerSettings

STOP_TIMEOUT_S = 20

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns the claims of this worker. It computes nothing itself and never touches CUDA."""

    def __init__(self, settings: WorkerSettings, database: Database) -> None:
        self.device = detect_device(settings.device)
        self._settings = settings
        self._database = database
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="supervisor"),
            threading.Thread(target=self._show_life, name="life", daemon=True),
        ]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Look for work now instead of in a few seconds."""
        self._bell.set()

    def stop(self) -> None:
        """Hand back what is being worked on and end."""
        self._stopping.set()
        self._bell.set()
        for thread in self._threads:
            thread.join(timeout=STOP_TIMEOUT_S)
        try:
            with self._database.write() as session:
                workers.forget(session, self._name)
        except Exception:
            _log.exception("the worker could not sign off")
        self._database.dispose()

    def _work(self) -> None:
        bind_contextvars(worker=self._name)
        while not self._stopping.is_set():
            try:
                if not self._work_once():
                    self._bell.wait(self._settings.poll_s)
                    self._bell.clear()
            except Exception:  # the thread must outlive whatever one attempt or an absent database does
                _log.exception("an attempt broke off; its runs come back when their lease ends")
                self._stopping.wait(self._settings.poll_s)

    def _work_once(self) -> bool:
        """Take what is due and bring it to an end; False when nothing was due."""
        sweep(self._database, self._settings)
        with self._database.write() as session:
            claim = runs.claim(session, worker=self._name, lease_s=self._settings.lease_s)
        if claim is None:
            return False
        _log.info("claimed %d runs of %s", len(claim.runs), claim.model_id)
        Attempt(claim, self._settings, self._database, device=self.device, stopping=self._stopping).run()
        return True

    def _show_life(self) -> None:
        """Say every few seconds that this worker is there, also while it works."""
        bind_contextvars(worker=self._name)
        while not self._stopping.is_set():
            try:
                with self._database.write() as session:
                    workers.beat(
                        session, worker_id=self._name, host=socket.gethostname(), pid=os.getpid(), device=self.device
                    )
            except Exception:
                _log.warning("the worker could not say that it is alive", exc_info=True)
            self._stopping.wait(min(self._settings.beat_s, self._settings.poll_s))
