"""Reading a folder that somebody filled: which files it has to hold, and what is in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from . import declaration
from .assembly import read_assembly
from .corpus_material import TIMES_FILE, WORDS_FILE
from .findings import Findings, listed
from .material import (
    STIMULI_COLUMNS,
    STIMULI_EXTRAS,
    STIMULI_FILE,
    UNITS_COLUMNS,
    UNITS_EXTRAS,
    UNITS_FILE,
    Material,
    Table,
)
from .responses_file import FILES, read_responses
from .tables import read_table

TEXT_FILE = "text.txt"
ASSEMBLY_SUFFIX = ".nc"


def is_known(name: str) -> bool:
    """Whether a data set's folder may hold a file of this name; others are left alone."""
    return _is_of_recording(name) or name in {WORDS_FILE, TIMES_FILE, TEXT_FILE, declaration.FILE}


def holds_corpus(folder: Path) -> bool:
    """Whether a folder holds reading times and not a recording of brains: it has `words.csv`.

    `times.csv` tells it too, where nothing of a recording is there.
    """
    names = {path.name for path in folder.iterdir()}
    return WORDS_FILE in names or (TIMES_FILE in names and not any(map(_is_of_recording, names)))


def holds_text(folder: Path) -> bool:
    """Whether a folder holds a plain text: it has `text.txt`, and nothing of a recording or of reading times."""
    names = {path.name for path in folder.iterdir()}
    return TEXT_FILE in names and not names & {WORDS_FILE, TIMES_FILE} and not any(map(_is_of_recording, names))


def tell_unused_beside_text(folder: Path, findings: Findings) -> None:
    """A warning of files beside a text that nothing is done with."""
    _tell_unused(folder, (TEXT_FILE, declaration.FILE), findings)


def corpus_is_whole(folder: Path, findings: Findings) -> bool:
    """Whether the files of a reading corpus are there and no others that are known; with errors where not."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file())
    strange = [name for name in names if _is_of_recording(name)]
    if strange:
        findings.error("files_disagree", f"reading times or a recording of brains, but not both: {listed(names)}")
    missing = [name for name in (WORDS_FILE, TIMES_FILE) if name not in names]
    for name in missing:
        findings.error("file_missing", f"there is no {name}")
    _tell_unused(folder, [name for name in names if is_known(name)], findings)
    return not strange and not missing


def read_material(folder: Path, findings: Findings, *, max_bytes: int) -> Material:
    """What the files of a folder hold; with errors, and None, for what is missing or cannot be read."""
    paths = sorted(folder.iterdir())
    names = [path.name for path in paths if path.is_file() and is_known(path.name) and path.name != TIMES_FILE]
    _tell_unused(folder, names, findings)
    assemblies = [name for name in names if name.endswith(ASSEMBLY_SUFFIX)]
    tables = [name for name in names if name not in {declaration.FILE, *assemblies}]
    if len(assemblies) > 1 or (assemblies and tables):
        findings.error("files_disagree", f"one netCDF file, or tables, but not both: {listed([*assemblies, *tables])}")
        return Material(stimuli=None, units=None, responses=None)
    if assemblies:
        return read_assembly(folder / assemblies[0], findings, max_bytes=max_bytes)
    return _read_tables(folder, findings, max_bytes)


def _is_of_recording(name: str) -> bool:
    return name in {STIMULI_FILE, UNITS_FILE, *FILES} or name.endswith(ASSEMBLY_SUFFIX)


def _tell_unused(folder: Path, used: Collection[str], findings: Findings) -> None:
    unused = sorted(path.name for path in folder.iterdir() if path.name not in used)
    if unused:
        findings.warn("file_unused", f"nothing is done with {listed(unused)}")


def _read_tables(folder: Path, findings: Findings, max_bytes: int) -> Material:
    for name in (STIMULI_FILE, UNITS_FILE):
        if not (folder / name).is_file():
            findings.error("file_missing", f"there is no {name}")
    names = [name for name in FILES if (folder / name).is_file()]
    if len(names) != 1:
        found = f"there are {listed(names)}" if names else "there is none"
        findings.error("file_missing", f"one of {', '.join(FILES)} has to be there; {found}")
    stimuli = _read_table(folder / STIMULI_FILE, STIMULI_COLUMNS, STIMULI_EXTRAS, findings)
    units = _read_table(folder / UNITS_FILE, UNITS_COLUMNS, UNITS_EXTRAS, findings)
    if len(names) != 1:
        return Material(stimuli=stimuli, units=units, responses=None)
    unit_ids = (units or {}).get("unit_id", ())
    responses = read_responses(folder / names[0], findings, max_bytes=max_bytes, unit_ids=unit_ids)
    return Material(stimuli=stimuli, units=units, responses=responses)


def _read_table(path: Path, needed: Sequence[str], extras: Sequence[str], findings: Findings) -> Table | None:
    return read_table(path, needed, extras, findings) if path.is_file() else None
