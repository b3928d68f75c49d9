"""Two threads in every worker: one takes work and brings it to an end, one shows life and sweeps."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from importlib import metadata

from structlog.contextvars import bind_contextvars

from storage import runs, workers
from storage.engine import Database
from storage.errors import DatabaseUnavailable
from storage.workers import Worker

from .attempt import Attempt
from .device import detect_device, device_memory, memory_limit
from .reconciler import forget, sweep
from .settings import WorkerSettings

STOP_TIMEOUT_S = 20
FORGET_EVERY_S = 600.0
MAX_PAUSE_S = 30.0
"""How long a worker pauses at the most before it asks again for a database that is away."""
CONFINING = "import sys; from worker.confinement import leave_the_network; sys.exit(not leave_the_network())"

_log = logging.getLogger(__name__)


class Supervisor:
    """Owns the claims of this worker. It computes nothing itself and never touches CUDA."""

    def __init__(self, settings: WorkerSettings, database: Database) -> None:
        self.device = detect_device(settings.device)
        self._settings = settings
        self._database = database
        self._here = _this_worker(self.device, settings)
        self._bell = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name="supervisor"),
            threading.Thread(target=self._live, name="life", daemon=True),
        ]

    @property
    def device_class(self) -> str:
        """Of which runs this worker is: `cpu` or `gpu`."""
        return self._here.device_class

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def ring(self) -> None:
        """Look for work now instead of in a moment."""
        self._bell.set()

    def stop(self) -> None:
        """Hand back what is being worked on and end."""
        self._stopping.set()
        self._bell.set()
        for thread in self._threads:
            thread.join(timeout=STOP_TIMEOUT_S)
        try:
            with self._database.write() as session:
                workers.forget(session, self._here.id)
        except DatabaseUnavailable:
            _log.warning("the worker could not sign off: the database is away")
        except Exception:
            _log.exception("the worker could not sign off")
        self._database.dispose()

    def _work(self) -> None:
        bind_contextvars(worker=self._here.id)
        away = _Away("look for work", self._settings.poll_s)
        while not self._stopping.is_set():
            try:
                pause_s = 0.0 if self._work_once() else self._settings.poll_s
                away.is_over()
            except DatabaseUnavailable:  # a bell says that the server reached it again
                pause_s = away.pause_s()
            except Exception:  # the thread must outlive whatever one attempt does
                _log.exception("an attempt broke off; its runs come back when their lease ends")
                pause_s = self._settings.poll_s
            if pause_s and self._bell.wait(pause_s):
                self._bell.clear()

    def _work_once(self) -> bool:
        """Take what is due and bring it to an end; False when nothing was due."""
        here = self._here
        with self._database.read() as session:
            if not runs.is_any_due(session, device_class=here.device_class, memory_bytes=here.memory_bytes):
                return False
        with self._database.write() as session:
            claim = runs.claim(
                session,
                worker=here.id,
                lease_s=self._settings.lease_s,
                device_class=here.device_class,
                memory_bytes=here.memory_bytes,
            )
        if claim is None:
            return False
        _log.info("claimed %d runs of %s", len(claim.runs), claim.model_id)
        Attempt(claim, self._settings, self._database, here=here, stopping=self._stopping).run()
        return True

    def _live(self) -> None:
        """Say every few seconds that this worker is there, and sweep; also while it works."""
        bind_contextvars(worker=self._here.id)
        next_sweep = next_forgetting = 0.0
        turn_s = min(self._settings.beat_s, self._settings.sweep_s)
        away = _Away("show that it is alive, or sweep", turn_s)
        _tell_of_the_network()
        while not self._stopping.is_set():
            try:
                self._beat()
                if time.monotonic() >= next_sweep:
                    next_sweep = time.monotonic() + self._settings.sweep_s
                    sweep(self._database, self._settings)
                if time.monotonic() >= next_forgetting:
                    next_forgetting = time.monotonic() + FORGET_EVERY_S
                    forget(self._database)
                away.is_over()
            except DatabaseUnavailable:
                self._stopping.wait(away.pause_s())
                continue
            except Exception:
                _log.warning("the worker could not show that it is alive, or sweep", exc_info=True)
            self._stopping.wait(turn_s)

    def _beat(self) -> None:
        here = self._here
        with self._database.write() as session:
            workers.beat(
                session,
                worker_id=here.id,
                host=here.host,
                pid=here.pid,
                device=here.device,
                memory_bytes=here.memory_bytes,
                version=here.version,
            )


class _Away:
    """How long a thread pauses while the database is away: twice as long each time, up to a bound, one line each."""

    def __init__(self, what: str, first_s: float) -> None:
        self._what = what
        self._first_s = first_s
        self._pause_s = 0.0

    def pause_s(self) -> float:
        """The next pause, in seconds, once the database was found away."""
        self._pause_s = min(2 * self._pause_s or self._first_s, max(MAX_PAUSE_S, self._first_s))
        _log.warning("the database is away: the worker cannot %s; again in %g s", self._what, self._pause_s)
        return self._pause_s

    def is_over(self) -> None:
        """Said when the database has answered."""
        self._pause_s = 0.0


def _this_worker(device: str, settings: WorkerSettings) -> Worker:
    """This process as others see it; the database has its own clock for when it began."""
    host, pid, now = socket.gethostname(), os.getpid(), datetime.now(UTC)
    try:
        version = metadata.version("broca")
    except metadata.PackageNotFoundError:
        version = None
    return Worker(
        id=f"{host}:{pid}:{secrets.token_hex(3)}",
        host=host,
        pid=pid,
        device=device,
        memory_bytes=device_memory(device, limit=memory_limit(settings.max_memory_bytes)),
        version=version,
        started_at=now,
        seen_at=now,
    )


def _tell_of_the_network() -> None:
    """One line in the log: whether scoring processes can leave the network here."""
    try:
        is_left = subprocess.run([sys.executable, "-c", CONFINING], check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        is_left = False
    if is_left:
        _log.info("scoring processes leave the network")
    else:
        _log.warning("scoring processes keep the network: the kernel, or the container, lets none leave it")
