"""Ending with the parent: a process whose stdin is a pipe from its parent sees it close, even after kill -9."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable


def when_parent_ends(act: Callable[[], None]) -> None:
    """Call `act` from a thread of its own once stdin is at its end.

    It reads the descriptor itself: a thread that waits in `sys.stdin` holds a lock that aborts an interpreter which
    ends meanwhile.
    """

    def watch() -> None:
        while os.read(0, 4096):
            pass
        act()

    threading.Thread(target=watch, name="parent", daemon=True).start()
