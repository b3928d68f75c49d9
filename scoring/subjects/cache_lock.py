"""Locks of files in the model cache. Standard library only.

A lock for one alone needs a file that is open for writing: network file systems grant no other.
"""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from ..errors import ModelCacheBusy

LOCK = ".quota.lock"
LOOK_S = 0.1


@contextlib.contextmanager
def locked(folder: Path, *, timeout_s: float | None = None) -> Iterator[None]:
    """Alone among those who change what the cache in `folder` holds.

    Raises ModelCacheBusy where another one has the lock all the time that is given.
    """
    with (folder / LOCK).open("a") as file:
        if timeout_s is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _lock_within(file.fileno(), timeout_s)
        yield


def is_lockable(descriptor: int) -> bool:
    """Whether the lock on a file can be had, and now is."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def opened(path: Path) -> TextIO:
    """A file to be read, and locked where it may be written."""
    try:
        return path.open("r+")
    except PermissionError:
        return path.open()


def _lock_within(descriptor: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not is_lockable(descriptor):
        if time.monotonic() > deadline:
            raise ModelCacheBusy(f"another process has changed the model cache for {timeout_s:g} s")
        time.sleep(LOOK_S)
