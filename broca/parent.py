"""Ending with the parent, warmly: what `broca serve` and `broca worker` do when whoever started them is gone."""

from __future__ import annotations

import os
import signal
import threading
import time

from scoring.parent import when_parent_ends

GRACE_S = 30.0
"""How long a process may take to stop warmly after its parent is gone."""


def stop_when_stdin_closes(*, grace_s: float = GRACE_S) -> None:
    """Send SIGTERM to this process once its stdin is at its end, and SIGKILL when it is still there after a grace."""

    def stop() -> None:
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        time.sleep(grace_s)
        os.kill(os.getpid(), signal.SIGKILL)

    when_parent_ends(stop)
