"""Uploads on their way: written beside what is there, one at a time named, within a quota; whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scoring.errors import InsufficientStorage

INCOMING = ".incoming-"
ABANDONED_AFTER_S = 24 * 3600.0
"""After so long a folder of an upload belongs to a process that was killed."""


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Bytes that one file may have, and may unpack to; and bytes that the whole folder of uploads may have."""

    max_bytes: int
    quota_bytes: int


@contextmanager
def incoming(uploads: Path) -> Iterator[Path]:
    """A fresh folder for an upload, gone afterwards with whatever was not published."""
    uploads.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(uploads)
    folder = Path(tempfile.mkdtemp(prefix=INCOMING, dir=uploads))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def alone(uploads: Path) -> Iterator[None]:
    """No other upload gets its name meanwhile, where the file system has locks; else each step holds by itself."""
    descriptor = os.open(uploads, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def require_room(uploads: Path, quota_bytes: int) -> None:
    """Raises InsufficientStorage where the folder has too many bytes, those of uploads under way among them."""
    n_bytes = 0
    for path in uploads.rglob("*"):
        with contextlib.suppress(OSError):
            n_bytes += path.stat().st_size if path.is_file() else 0
    if n_bytes > quota_bytes:
        raise InsufficientStorage(
            f"with this upload there would be {n_bytes} bytes in its folder; there may be {quota_bytes}",
            hint="remove folders of uploads that are not needed, or raise BROCA_IMPORT_QUOTA_BYTES",
        )


def age_s(path: Path) -> float:
    """Seconds since a file or folder was changed."""
    return time.time() - path.stat().st_mtime


def _remove_abandoned(uploads: Path) -> None:
    for path in uploads.glob(f"{INCOMING}*"):
        with contextlib.suppress(OSError):
            if age_s(path) > ABANDONED_AFTER_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
