"""Taking a data set in: read, looked over, written down, its ceiling computed, before any model is scored on it.

Run as `python -m scoring.datasets.own.intake FOLDER` it carries out the order in a folder: strangers' files are read by
a process of its own, without secrets and with bounded memory. Progress goes to standard output, a line of JSON each;
what stands in the way is left in the folder as `refusal.json`.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ... import SCORING_VERSION
from ...errors import CodedError, RecordingRefused
from ...parent import when_parent_ends
from .corpus_intake import take_corpus
from .declaration import NOT_STATED, Declaration, check_declaration, read_declaration
from .findings import Findings
from .manifest import Manifest, Note
from .material import Report
from .order import REFUSAL_FILE, STAGED_FOLDER, UNPACKED_FOLDER, Order
from .reading import TEXT_FILE, holds_corpus, holds_text
from .recording_intake import take_recording
from .text_intake import take_text
from .unpacking import is_archive, unpack

ROOM_BYTES = 2**32
"""Memory beside eight times what the files may have: for what libraries take, and the folds of the ceiling."""

MAX_CPU_S = 3600
"""Seconds of computing that one upload may take."""

UNBOUNDED = 2**62
"""Bytes that a folder of this machine's own user may have."""


def take_in(order: Order, folder: Path, report: Report = lambda _fraction, _detail: None) -> Manifest:
    """The manifest of the version that is then in `folder`/staged. Raises RecordingRefused with every error."""
    findings = Findings()
    report(0.0, "reading the files")
    source = _opened(order, folder)
    said = order.declared.completed(read_declaration(source, findings))
    check_declaration(said, findings)
    staged = folder / STAGED_FOLDER
    staged.mkdir()
    if holds_text(source):
        found = take_text(source, staged, said, findings, report)
    elif holds_corpus(source):
        found = take_corpus(source, staged, said, findings, report)
    else:
        found = take_recording(source, staged, said, findings, report, max_bytes=order.max_bytes or UNBOUNDED)
    manifest = Manifest(
        **_declared(order.name, said),
        **found,
        n_bytes=sum((staged / file).stat().st_size for file in found["files"]),
        warnings=tuple(Note(code=finding.code, detail=finding.detail) for finding in findings.warnings),
        scoring_version=SCORING_VERSION,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    manifest.write(staged)
    report(1.0, "done")
    return manifest


def _opened(order: Order, folder: Path) -> Path:
    """The folder with the data set's files."""
    if order.source.is_dir():
        return order.source
    unpacked = folder / UNPACKED_FOLDER
    unpacked.mkdir()
    if is_archive(order.source):
        unpack(order.source, unpacked, max_bytes=order.max_bytes or UNBOUNDED)
    elif _is_netcdf(order.source):
        (unpacked / "assembly.nc").symlink_to(order.source.absolute())
    elif _is_text(order.source):
        (unpacked / TEXT_FILE).symlink_to(order.source.absolute())
    else:
        raise RecordingRefused(
            "the file is neither a ZIP archive nor netCDF 4, and no text in UTF-8",
            hint="send a ZIP archive of the folder, one .nc file or one plain text",
        )
    return unpacked


def _is_netcdf(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(4) == b"\x89HDF"


def _is_text(path: Path) -> bool:
    """Whether a file may be meant as text: by its name, and its beginning has no NUL, as nearly all others have."""
    if path.suffix.lower() in {".nc", ".zip"}:
        return False
    with path.open("rb") as stream:
        return b"\0" not in stream.read(4096)


def _declared(name: str, said: Declaration) -> dict[str, Any]:
    return {
        "title": said.title or name,
        "licence": said.licence or NOT_STATED,
        "citation": said.citation or NOT_STATED,
        "private": bool(said.private),
    }


def _bound(max_bytes: int) -> None:
    """Bound this process' memory and time from here on, where the system can."""
    import resource

    for what, asked in ((resource.RLIMIT_AS, ROOM_BYTES + 8 * max_bytes), (resource.RLIMIT_CPU, MAX_CPU_S)):
        most = resource.getrlimit(what)[1]
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (asked if most == resource.RLIM_INFINITY else min(asked, most), most))


def _say(fraction: float, detail: str) -> None:
    print(json.dumps({"fraction": fraction, "detail": detail}), flush=True)


def main(folder: Path) -> int:
    """Carry out the order in a folder; 0 where the version is there, 1 where a refusal is.

    Ends at once with the process that waits for it.
    """
    when_parent_ends(lambda: os._exit(1))
    order = Order.read(folder)
    refusal: dict[str, Any]
    if order.max_bytes is not None:
        _bound(order.max_bytes)
    try:
        take_in(order, folder, _say)
    except RecordingRefused as error:
        refusal = {"detail": error.detail, "hint": error.hint, "param": error.param, "found": error.found}
    except CodedError as error:
        refusal = {"detail": error.detail, "hint": error.hint, "param": error.param}
    except OSError as error:
        detail = f"{Path(str(error.filename)).name}: {error.strerror}"
        refusal = {"detail": f"a file cannot be read or written: {detail}", "hint": None, "param": None}
    except MemoryError:
        refusal = {"detail": "the data set takes more memory than an upload may", "hint": None, "param": None}
    else:
        return 0
    (folder / REFUSAL_FILE).write_text(json.dumps(refusal), encoding="utf8")
    return 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
