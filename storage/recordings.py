"""Putting data sets that users bring where scoring finds them: read in a child process, checked, then named.

`<folder>/<name>/<version>/` never changes once it is there; versions count from 1, and the newest is the one that is
meant where none is named. Equal data declared equally are the version that is there.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scoring.child_environment import without_secrets
from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.manifest import Manifest
from scoring.datasets.own.order import REFUSAL_FILE, STAGED_FOLDER, UNPACKED_FOLDER, Order
from scoring.datasets.own.store import OwnDataset, find, versions
from scoring.errors import DataError, RecordingRefused

from .staging import Bounds, alone, incoming, keep_owner, require_room

PROGRAM = "scoring.datasets.own.intake"
LOG_FILE = "log"


def accept(
    own_dir: Path,
    upload: Path,
    name: str,
    declared: Declaration,
    *,
    bounds: Bounds | None,
    on_progress: Callable[[float, str], None] = lambda _fraction, _detail: None,
) -> tuple[OwnDataset, bool]:
    """The data set `own/<name>` with what a folder, a ZIP archive or a netCDF file holds, and whether it is new.

    Without `bounds` the files may have any size. Raises RecordingRefused with everything that is wrong;
    InsufficientStorage or QuotaExceeded where there is no room for it.
    """
    order = Order(
        name=name, source=upload.absolute(), declared=declared, max_bytes=None if bounds is None else bounds.max_bytes
    )
    with incoming(own_dir) as folder:
        order.write(folder)
        _take_in(folder, on_progress)
        shutil.rmtree(folder / UNPACKED_FOLDER, ignore_errors=True)
        with alone(own_dir):
            return _place(own_dir / name, folder / STAGED_FOLDER, bounds)


def _place(place: Path, staged: Path, bounds: Bounds | None) -> tuple[OwnDataset, bool]:
    """Give the staged folder the next version, or find the one that it is; a damaged one is replaced by its equal."""
    own_dir, name = place.parent, place.name
    identity = Manifest.read(staged).identity
    for version in reversed(versions(own_dir, name)):
        try:
            known = find(own_dir, name, version)
        except DataError:
            continue
        if known.manifest.identity == identity:
            if not _is_whole(known):
                keep_owner(known.folder, staged)
                known.folder.rename(staged.with_name("damaged"))
                staged.rename(known.folder)
            return find(own_dir, name, version), False
    if bounds is not None:
        require_room(own_dir, staged, bounds)
    place.mkdir(exist_ok=True)
    taken = [int(path.name) for path in place.iterdir() if path.name.isdigit()]
    version = max(taken, default=0) + 1
    staged.rename(place / str(version))
    return find(own_dir, name, version), True


def _is_whole(known: OwnDataset) -> bool:
    try:
        known.require_checksums()
    except DataError:
        return False
    return True


def _take_in(folder: Path, on_progress: Callable[[float, str], None]) -> None:
    """Let a child process carry out the order in a folder. Raises RecordingRefused."""
    log = folder / LOG_FILE
    command = [sys.executable, "-m", PROGRAM, str(folder.absolute())]
    with (
        log.open("wb") as errors,
        subprocess.Popen(
            command, env=without_secrets(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as child,
    ):
        assert child.stdout is not None, "the pipe was asked for"
        for line in child.stdout:
            said = json.loads(line)
            on_progress(said["fraction"], said["detail"])
    if child.returncode and (folder / REFUSAL_FILE).is_file():
        raise RecordingRefused(**json.loads((folder / REFUSAL_FILE).read_text(encoding="utf8")))
    if child.returncode < 0:
        raise RecordingRefused("the data set takes more time or memory than an upload may", hint="send a smaller one")
    if child.returncode:
        words = log.read_text(encoding="utf8", errors="replace")[-1000:]
        raise RuntimeError(f"the program that takes data sets in failed: {words}")
