"""One file with everything that cannot be computed again: the database's rows, imported responses, users' data sets.

A gzipped tar: `tables/<name>.jsonl`, `files/<imported|own>/…`, and at its end `manifest.json` with the schema, the
kinds of all columns and the SHA-256 of every other member. Nothing of an archive is used before all of it was checked.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any

from . import export, schema
from .engine import Database
from .files import INCOMING, plain_files

FORMAT = 1
MANIFEST = "manifest.json"
COMPRESSION = 3
"""Of gzip; rows are text, files are mostly numbers that no level makes smaller."""

_TABLE = re.compile(r"tables/([a-z_]+)\.jsonl")


class BackupUnusable(Exception):
    """The file is no whole backup of this service, or cannot be restored here; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Contents:
    """What a backup holds: rows by table, files, and their bytes together."""

    schema: str
    rows: Mapping[str, int]
    n_files: int
    n_bytes: int


def write_backup(target: Path, database: Database, folders: Mapping[str, Path]) -> Contents:
    """Write a backup of the database and of these folders while the service goes on; whole, or not at all.

    The file is readable by its owner only: it holds digests of API keys, and data that may be private.
    """
    if not database.is_current():
        raise BackupUnusable("the database lacks migrations; broca migrate brings it up to date")
    unfinished = target.with_name(f".{target.name}.unfinished")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            with (
                gzip.GzipFile("", "wb", COMPRESSION, stream) as packed,
                tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as archive,
            ):
                contents = _Writer(archive, target.parent).write(database, folders)
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
    return contents


def restore_backup(source: Path, database: Database, folders: Mapping[str, Path], *, force: bool) -> Contents:
    """Put a backup in place of an empty service, or with `force` of what is there; wholly, or not at all.

    Raises BackupUnusable, and export.DatabaseNotEmpty where rows or files are there and `force` is not.
    """
    with _staging(folders) as places:
        manifest = _Reader(source, places).read()
        tables = places["tables"]
        if not force:
            _require_empty(folders)

        def read(name: str) -> Iterator[bytes]:
            with (tables / f"{name}.jsonl").open("rb") as rows:
                yield from rows

        with _published(places, folders) as publish:
            try:
                columns = manifest["columns"]
                export.replace_all(database, manifest["schema"], columns, read, force=force, publish=publish)
            except export.SchemaUnknown as error:
                raise BackupUnusable(str(error)) from None
        return _contents(manifest)


class _Writer:
    """Puts members into an archive and remembers their checksums."""

    def __init__(self, archive: tarfile.TarFile, folder: Path) -> None:
        self._archive = archive
        self._folder = folder
        self._members: dict[str, dict[str, Any]] = {}
        self._rows: dict[str, int] = {}

    def write(self, database: Database, folders: Mapping[str, Path]) -> Contents:
        """Rows in one snapshot, then files as they are after it: what is removed meanwhile is missing; the manifest."""
        with export.snapshot(database) as connection:
            for table in export.tables():
                with tempfile.TemporaryFile(dir=self._folder) as rows:
                    self._rows[table.name] = sum(1 for line in export.lines(connection, table) if rows.write(line))
                    rows.seek(0)
                    self._add(f"tables/{table.name}.jsonl", rows)
        for name, folder in folders.items():
            for path in plain_files(folder):
                self._add_file(f"files/{name}/{path.relative_to(folder).as_posix()}", path)
        manifest = {
            "format": FORMAT,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "schema": schema.newest(),
            "columns": {table.name: export.kinds(table) for table in export.tables()},
            "rows": self._rows,
            "members": self._members,
        }
        self._add(MANIFEST, io.BytesIO(json.dumps(manifest, indent=1).encode()))
        return _contents(manifest)

    def _add_file(self, name: str, path: Path) -> None:
        try:
            with path.open("rb") as file:
                self._add(name, file)
        except FileNotFoundError:  # removed or replaced after the snapshot, which may still speak of it
            return

    def _add(self, name: str, file: IO[bytes]) -> None:
        member = tarfile.TarInfo(name)
        member.size = file.seek(0, os.SEEK_END)
        member.mode = 0o600
        file.seek(0)
        sha256 = hashlib.sha256()
        self._archive.addfile(member, _Hashed(file, sha256))
        self._members[name] = {"bytes": member.size, "sha256": sha256.hexdigest()}


class _Hashed(io.RawIOBase):
    """A file whose digest grows as it is read."""

    def __init__(self, file: IO[bytes], sha256: Any) -> None:
        self._file, self._sha256 = file, sha256

    def read(self, size: int = -1, /) -> bytes:
        chunk = self._file.read(size)
        self._sha256.update(chunk)
        return chunk


class _Reader:
    """Unpacks an archive into folders of its own and checks every byte of it. Raises BackupUnusable."""

    def __init__(self, source: Path, places: Mapping[str, Path]) -> None:
        self._source = source
        self._places = places
        self._found: dict[str, dict[str, Any]] = {}

    def read(self) -> dict[str, Any]:
        """The manifest of an archive that is whole."""
        manifest: dict[str, Any] | None = None
        try:
            with gzip.open(self._source) as packed, tarfile.open(fileobj=packed, mode="r|") as archive:
                for member in archive:
                    if manifest is not None:
                        raise BackupUnusable(f"{member.name!r} stands after the manifest")
                    file = archive.extractfile(member) if member.isreg() else None
                    if file is None:
                        raise BackupUnusable(f"{member.name!r} is not a plain file")
                    if member.name == MANIFEST:
                        manifest = json.loads(file.read())
                    else:
                        self._unpack(member.name, file)
                while packed.read(1 << 20):  # its checksum is at its end
                    pass
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
            raise BackupUnusable(f"the file is damaged or no backup: {error}") from None
        return self._checked(manifest)

    def _unpack(self, name: str, file: IO[bytes]) -> None:
        path = self._place(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        sha256, n_bytes = hashlib.sha256(), 0
        with path.open("xb") as out:
            while chunk := file.read(1 << 20):
                sha256.update(chunk)
                n_bytes += len(chunk)
                out.write(chunk)
        self._found[name] = {"bytes": n_bytes, "sha256": sha256.hexdigest()}

    def _place(self, name: str) -> Path:
        """Where a member goes; only names that this program gives are taken."""
        if match := _TABLE.fullmatch(name):
            return self._places["tables"] / f"{match[1]}.jsonl"
        parts = PurePosixPath(name).parts
        is_plain = "/".join(parts) == name and not {"..", "."} & set(parts) and not {"\0", "\\"} & set(name)
        known = self._places.keys() - {"tables"}
        if not is_plain or len(parts) < 3 or parts[0] != "files" or parts[1] not in known:
            raise BackupUnusable(f"no backup has a member {name!r}")
        return self._places[parts[1]].joinpath(*parts[2:])

    def _checked(self, manifest: dict[str, Any] | None) -> dict[str, Any]:
        if manifest is None:
            raise BackupUnusable("the file ends before its manifest")
        if manifest.get("format") != FORMAT:
            raise BackupUnusable(f"the backup is of format {manifest.get('format')!r}, not {FORMAT}")
        said = manifest.get("members", {})
        wrong = sorted(name for name in said.keys() | self._found.keys() if said.get(name) != self._found.get(name))
        if wrong:
            raise BackupUnusable(f"{len(wrong)} members are not as they were written, the first is {wrong[0]}")
        if any(f"tables/{name}.jsonl" not in self._found for name in manifest["columns"]):
            raise BackupUnusable("a table of the manifest is missing")
        return manifest


@contextmanager
def _staging(folders: Mapping[str, Path]) -> Iterator[Mapping[str, Path]]:
    """Fresh folders to unpack into: beside what they are to become, so that they are moved, not copied."""
    places: dict[str, Path] = {}
    try:
        for name, folder in folders.items():
            folder.mkdir(parents=True, exist_ok=True)
            places[name] = Path(tempfile.mkdtemp(prefix=INCOMING, dir=folder))
        places["tables"] = Path(tempfile.mkdtemp(prefix=INCOMING, dir=next(iter(folders.values()))))
        yield places
    finally:
        for place in places.values():
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def _published(places: Mapping[str, Path], folders: Mapping[str, Path]) -> Iterator[Any]:
    """Gives what moves unpacked files to their places; moves are undone where the block then fails."""
    moves: list[tuple[Path, Path]] = []

    def move(source: Path, target: Path) -> None:
        source.rename(target)
        moves.append((source, target))

    def publish() -> None:
        for name, folder in folders.items():
            replaced = Path(tempfile.mkdtemp(prefix=INCOMING, dir=folder))
            for old in _entries(folder):
                move(old, replaced / old.name)
            for new in [*places[name].iterdir()]:
                move(new, folder / new.name)

    try:
        yield publish
    except BaseException:
        for source, target in reversed(moves):
            target.rename(source)
        _remove_staged(folders)
        raise
    _remove_staged(folders)


def _remove_staged(folders: Mapping[str, Path]) -> None:
    """Remove what was unpacked and what was replaced; not called where undoing failed, for then it is all there is."""
    for folder in folders.values():
        for path in folder.glob(f"{INCOMING}*"):
            shutil.rmtree(path, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(INCOMING)]


def _require_empty(folders: Mapping[str, Path]) -> None:
    for folder in folders.values():
        if _entries(folder):
            raise export.DatabaseNotEmpty(f"{folder} is not empty; --force replaces what is there")


def _contents(manifest: Mapping[str, Any]) -> Contents:
    members: Iterable[tuple[str, Mapping[str, Any]]] = manifest["members"].items()
    return Contents(
        schema=manifest["schema"],
        rows=manifest["rows"],
        n_files=sum(name.startswith("files/") for name, _ in members),
        n_bytes=sum(said["bytes"] for said in manifest["members"].values()),
    )
