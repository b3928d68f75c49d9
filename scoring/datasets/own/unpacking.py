"""Taking a data set's files out of a ZIP archive: known names only, no links, no paths that lead out, bounded."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from ...errors import RecordingRefused, shown
from .findings import listed
from .reading import is_known

MAX_ENTRIES = 1000
_PIECE_BYTES = 1 << 20
_FIRST_BYTES = b"PK\x03\x04"


def is_archive(path: Path) -> bool:
    """Whether a file begins as a ZIP archive does."""
    with path.open("rb") as stream:
        return stream.read(len(_FIRST_BYTES)) == _FIRST_BYTES


def unpack(archive: Path, folder: Path, *, max_bytes: int) -> None:
    """Write the known files of an archive into a folder; they lie at its top or together in one folder.

    Raises RecordingRefused for links, encrypted files, paths that lead out, and more than `max_bytes`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            entries = [entry for entry in opened.infolist() if not entry.is_dir()]
            _refuse_hostile(entries, max_bytes)
            left = max_bytes
            for entry in _wanted(entries):
                left = _write(opened, entry, folder / PurePosixPath(entry.filename).name, left)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, UnicodeDecodeError) as error:
        raise RecordingRefused("the archive cannot be unpacked: it is damaged, or no plain ZIP") from error


def _refuse_hostile(entries: list[zipfile.ZipInfo], max_bytes: int) -> None:
    if len(entries) > MAX_ENTRIES:
        raise RecordingRefused(f"the archive holds {len(entries)} files; at most {MAX_ENTRIES} are taken")
    for entry in entries:
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
            raise RecordingRefused(f"the archive holds {shown(entry.filename)}, a path that leads out of it")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise RecordingRefused(f"the archive holds {shown(entry.filename)}, which is a link and no file")
        if entry.flag_bits & 1:
            raise RecordingRefused(f"{shown(entry.filename)} of the archive is encrypted")
    if sum(entry.file_size for entry in entries) > max_bytes:
        raise _too_large(max_bytes)


def _wanted(entries: list[zipfile.ZipInfo]) -> list[zipfile.ZipInfo]:
    """The known files, all of one folder. Raises RecordingRefused where two folders hold some."""
    known = [entry for entry in entries if is_known(PurePosixPath(entry.filename).name)]
    known = [entry for entry in known if "__MACOSX" not in PurePosixPath(entry.filename).parts]
    folders = sorted({str(PurePosixPath(entry.filename).parent) for entry in known})
    if len(folders) > 1 or len({entry.filename for entry in known}) != len(known):
        raise RecordingRefused(f"the archive holds files of a data set in several places: {listed(folders)}")
    return known


def _write(opened: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, left: int) -> int:
    """Write one file of at most `left` bytes; how many bytes are left then."""
    with opened.open(entry) as source, path.open("xb") as target:
        while piece := source.read(_PIECE_BYTES):
            left -= len(piece)
            if left < 0:
                raise _too_large(0)
            target.write(piece)
    return left


def _too_large(max_bytes: int) -> RecordingRefused:
    more = f" than {max_bytes:,} bytes" if max_bytes else " bytes than it says"
    return RecordingRefused(f"the archive unpacks to more{more}", hint="BROCA_MAX_IMPORT_BYTES bounds it")
