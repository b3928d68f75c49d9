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
from storage.workers import Worker

from .attempt import Attempt
from .device import detect_device, device_memory, memory_limit
from .reconciler import forget, sweep
from .settings import WorkerSettings

STOP_TIMEOUT_S = 20
FORGET_EVERY_S = 600.0
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
        except Exception:
            _log.exception("the worker could not sign off")
        self._database.dispose()

    def _work(self) -> None:
        bind_contextvars(worker=self._here.id)
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
            except Exception:
                _log.warning("the worker could not show that it is alive, or sweep", exc_info=True)
            self._stopping.wait(min(self._settings.beat_s, self._settings.sweep_s))

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
