"""The cache of responses: one folder of files named by what they hold, shared by any number of workers.

Nothing in it is needed and nothing in it is believed: an entry that is not exactly what was written is removed and
computed anew, and a disk that takes no more costs time, never a run.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from scoring.responses import Responses
from scoring.types import Stimuli

from .container import Damaged, Pieces
from .entries import decode, encode, encode_activations

SUFFIX = ".safetensors"
ACTIVATIONS_SUFFIX = f".activations{SUFFIX}"
TEMPORARY_SUFFIX = ".tmp"
ABANDONED_S = 60
"""Younger temporary files are left alone: their writers may not have come to lock them yet."""

_NAME = re.compile(rf"[0-9a-f]{{64}}(\.activations)?{re.escape(SUFFIX)}")
_log = logging.getLogger(__name__)


class ResponseCache:
    """Responses by key, at most `limit_bytes` in all; what was not used for longest goes first. 0 turns it off.

    With `keep_activations` the features of every layer are written beside, and responses without them count as
    unknown. `warn` is told of entries that were removed and of disks that take nothing.
    """

    def __init__(
        self,
        folder: Path,
        *,
        limit_bytes: int,
        keep_activations: bool = False,
        warn: Callable[[str], None] = _log.warning,
    ) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._keep_activations = keep_activations
        self._warn = warn
        self._n_removed = 0

    def find(self, key: str) -> Responses | None:
        """The responses under this key, as they were kept; None where they are not there or cannot be believed."""
        if not self._limit:
            return None
        path = self._folder / f"{key}{SUFFIX}"
        try:
            responses = decode(key, path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, Damaged) as error:
            self._remove(path, error)
            return None
        activations = self._folder / f"{key}{ACTIVATIONS_SUFFIX}"
        if self._keep_activations and responses.layers and not activations.is_file():
            return None
        for used in (path, activations):
            with contextlib.suppress(OSError):
                os.utime(used)
        return responses

    def keep(self, key: str, responses: Responses, stimuli: Stimuli) -> Responses:
        """Write responses under this key, in place of others; gives them back as kept, reduced to what fits need."""
        reduced = responses.reduced()
        if self._limit:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                if self._keep_activations and responses.layers:
                    self._write(f"{key}{ACTIVATIONS_SUFFIX}", encode_activations(key, responses, stimuli))
                self._write(f"{key}{SUFFIX}", encode(key, reduced, stimuli))
            except OSError as error:
                self._warn(f"responses were not kept: {error}")
        return reduced

    def _remove(self, path: Path, why: Exception) -> None:
        self._n_removed += 1
        with contextlib.suppress(OSError):
            path.unlink()
        self._warn(f"{path.name} in the cache was removed, {why}; removed by this process: {self._n_removed}")

    def _write(self, name: str, pieces: Pieces) -> None:
        """Put a file into the folder, whole or not at all, and whatever has to go for it out of it."""
        n_bytes = sum(memoryview(piece).nbytes for piece in pieces)
        if n_bytes > self._limit:
            self._warn(f"{n_bytes} bytes of responses were not kept: the cache may hold {self._limit}")
            return
        self._make_room(n_bytes, replaced=name)
        with self._temporary() as (path, stream):
            for piece in pieces:
                stream.write(piece)
            stream.flush()
            os.fsync(stream.fileno())
            path.replace(self._folder / name)
        _sync(self._folder)

    @contextlib.contextmanager
    def _temporary(self) -> Iterator[tuple[Path, BinaryIO]]:
        """A file that is locked as long as this process writes it, so that others know whether its writer lives."""
        descriptor, name = tempfile.mkstemp(dir=self._folder, suffix=TEMPORARY_SUFFIX)
        path = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                yield path, stream
        finally:
            path.unlink(missing_ok=True)

    def _make_room(self, n_bytes: int, *, replaced: str) -> None:
        """Remove what dead writers left, then entries in the order of their last use until `n_bytes` fit."""
        entries: list[tuple[int, int, Path]] = []
        for path in self._folder.iterdir():
            if path.suffix == TEMPORARY_SUFFIX:
                _remove_if_abandoned(path)
            elif _NAME.fullmatch(path.name) and path.name != replaced:
                with contextlib.suppress(FileNotFoundError):
                    found = path.stat()
                    entries.append((found.st_mtime_ns, found.st_size, path))
        total = n_bytes + sum(size for _, size, _ in entries)
        for _, size, path in sorted(entries):
            if total <= self._limit:
                return
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
            total -= size


def _remove_if_abandoned(path: Path) -> None:
    """A lock that can be had is one whose holder is gone, also after kill -9."""
    with contextlib.suppress(OSError), open(path, "rb") as stream:
        if time.time() - path.stat().st_mtime < ABANDONED_S:
            return
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()


def _sync(folder: Path) -> None:
    """Let the folder's entry of a new file reach the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
