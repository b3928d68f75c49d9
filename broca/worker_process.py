"""A worker as a supervised child of the server: started again when it crashes, stopped warmly, gone with its parent."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

COMMAND = (sys.executable, "-m", "broca", "worker", "--stop-with-stdin")

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
HEALTHY_AFTER_S = 60.0
"""A worker that lived this long is started again after the first pause, as if it had never crashed."""


class WorkerProcess:
    """One worker with the given environment, kept running from `start` to `stop` by a thread of its own."""

    def __init__(self, environment: Mapping[str, str], *, command: Sequence[str] = COMMAND) -> None:
        self._environment = dict(environment)
        self._command = tuple(command)
        self._stopping = threading.Event()
        self._starting = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep_running, name="worker-process", daemon=True)

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def stop(self, *, grace_s: float = 20.0) -> None:
        """Ask the worker to stop, wait for it, and kill it when it is still there after `grace_s`."""
        with self._starting:
            self._stopping.set()
            child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(timeout=grace_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        self._thread.join(timeout=grace_s)

    def _keep_running(self) -> None:
        pause_s = FIRST_PAUSE_S
        while (child := self._spawn()) is not None:
            started = time.monotonic()
            code = child.wait()
            if child.stdin is not None:
                child.stdin.close()
            if self._stopping.is_set():
                return
            if time.monotonic() - started > HEALTHY_AFTER_S:
                pause_s = FIRST_PAUSE_S
            print(f"the worker ended with code {code}; starting it again in {pause_s:g} s", file=sys.stderr, flush=True)
            self._stopping.wait(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        """A new worker in a process group of its own, so that Ctrl-C reaches only the server, which then stops it."""
        with self._starting:
            if self._stopping.is_set():
                return None
            self._child = subprocess.Popen(
                self._command, env=self._environment, stdin=subprocess.PIPE, start_new_session=True
            )
            return self._child
