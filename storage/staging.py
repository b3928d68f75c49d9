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

from .errors import QuotaExceeded
from .files import INCOMING, n_bytes, plain_files

ABANDONED_AFTER_S = 24 * 3600.0
"""After so long a folder of an upload belongs to a process that was killed."""


OWNER_FILE = "brought_by"
"""Beside what an API key brought: the key's id. The files themselves say what counts for whom, whatever breaks off."""


@dataclass(frozen=True, kw_only=True)
class Owner:
    """The API key that brings something, the bytes it may have brought, and all folders that these may lie in."""

    key_id: str
    quota_bytes: int
    folders: tuple[Path, ...]

    def n_bytes(self) -> int:
        """What the key has brought and is there; also what is just being put there."""
        marks = (mark for folder in self.folders for mark in _marks(folder))
        return sum(n_bytes(mark.parent, with_incoming=True) for mark in marks if _text(mark) == self.key_id)

    def require_room(self, n_more_bytes: int = 0) -> None:
        """Raises QuotaExceeded where the key would have brought more than it may."""
        n_wanted = self.n_bytes() + n_more_bytes
        if n_wanted > self.quota_bytes:
            raise QuotaExceeded(
                f"with this upload the key would have brought {n_wanted} bytes; it may bring {self.quota_bytes}",
                hint="ask who runs the server to remove what is not needed, or to raise BROCA_KEY_QUOTA_BYTES",
            )


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Bytes that one file may have, and may unpack to; and bytes that the whole folder of uploads may have.

    `owner` has a quota of its own.
    """

    max_bytes: int
    quota_bytes: int
    owner: Owner | None = None


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


def require_room(uploads: Path, staged: Path, bounds: Bounds) -> None:
    """Writes the owner beside what is staged, and raises where there is no room for it.

    InsufficientStorage where the folder has too many bytes, those of uploads under way among them; QuotaExceeded where
    the owner would have brought too many.
    """
    n_wanted = n_bytes(uploads, with_incoming=True)
    if n_wanted > bounds.quota_bytes:
        raise InsufficientStorage(
            f"with this upload there would be {n_wanted} bytes in its folder; there may be {bounds.quota_bytes}",
            hint="remove folders of uploads that are not needed, or raise BROCA_IMPORT_QUOTA_BYTES",
        )
    if bounds.owner is not None:
        (staged / OWNER_FILE).write_text(bounds.owner.key_id, encoding="ascii")
        try:
            bounds.owner.require_room()
        except QuotaExceeded:
            (staged / OWNER_FILE).unlink()
            raise


def keep_owner(old: Path, new: Path) -> None:
    """Let what takes the place of a folder belong to whom that belongs."""
    owner = _text(old / OWNER_FILE)
    if owner:
        (new / OWNER_FILE).write_text(owner, encoding="ascii")


def owner_of(folder: Path) -> str | None:
    """The id of the key that brought what lies in a folder; None where it was brought without one."""
    return _text(folder / OWNER_FILE)


def age_s(path: Path) -> float:
    """Seconds since a file or folder was changed."""
    return time.time() - path.stat().st_mtime


def _marks(folder: Path) -> Iterator[Path]:
    """Where `<name>/<version>` says who brought it; a file of the same name deeper inside says nothing."""
    for path in plain_files(folder, with_incoming=True):
        if path.name == OWNER_FILE and path.parents[2] == folder:
            yield path


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def _remove_abandoned(uploads: Path) -> None:
    for path in uploads.glob(f"{INCOMING}*"):
        with contextlib.suppress(OSError):
            if age_s(path) > ABANDONED_AFTER_S:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
