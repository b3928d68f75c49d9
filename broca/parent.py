"""Ending with the parent: a process whose stdin is a pipe from its parent sees it close, even after kill -9."""

from __future__ import annotations

import os
import signal
import threading
import time

GRACE_S = 30.0
"""How long a process may take to stop warmly after its parent is gone."""


def stop_when_stdin_closes(*, grace_s: float = GRACE_S) -> None:
    """Send SIGTERM to this process once its stdin is at its end, and SIGKILL when it is still there after a grace."""
    threading.Thread(target=_watch, args=(grace_s,), name="stdin", daemon=True).start()


def _watch(grace_s: float) -> None:
    while os.read(0, 4096):
        pass
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(grace_s)
    os.kill(os.getpid(), signal.SIGKILL)
