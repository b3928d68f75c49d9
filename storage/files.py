"""The files of a folder that others write to, and remove from, while it is walked through."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

INCOMING = ".incoming-"
"""What the folder of an upload under way begins with."""


def plain_files(folder: Path, *, with_incoming: bool = False) -> Iterator[Path]:
    """The files of a folder and of those in it, in the order of their names; no links, and nothing that vanished.

    Uploads under way are left out unless they are asked for. `Path.rglob` raises where a folder goes meanwhile.
    """
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if with_incoming or not name.startswith(INCOMING))
        for name in sorted(names):
            path = Path(parent, name)
            if (with_incoming or not name.startswith(INCOMING)) and _size(path) is not None:
                yield path


def n_bytes(folder: Path, *, with_incoming: bool = False) -> int:
    """Bytes of the plain files in a folder, as far as they are still there."""
    return sum(_size(path) or 0 for path in plain_files(folder, with_incoming=with_incoming))


def _size(path: Path) -> int | None:
    """Bytes of a plain file; None for everything else, and where nothing is any more."""
    with contextlib.suppress(OSError):
        found = path.lstat()
        return found.st_size if stat.S_ISREG(found.st_mode) else None
    return None
