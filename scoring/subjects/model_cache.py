"""The folder of downloaded models: how much it may hold, what goes first, and what nobody may take away.

The hub's client keeps each repository as a folder of blobs and a folder of links for each commit. Here a revision is
such a commit. A claim writes down which revisions it reads, in a file that its supervisor keeps locked as long as the
claim lasts; a file that nobody locks is of a claim that is over, also after kill -9. Standard library only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InsufficientStorage, ModelCacheBusy
from .cache_lock import is_lockable, locked, opened
from .local import has_verified_commit, is_verified, marks

USES = ".uses"


@dataclass(frozen=True, kw_only=True)
class Keeping:
    """What may come in and stay: bytes of one model and of all together; None for no limit.

    `use_file` is where this claim writes down what it reads. Without `keeps_partial` nothing is kept of a download
    that fails, since nobody will go on with it.
    """

    max_model_bytes: int | None = None
    cache_bytes: int | None = None
    use_file: Path | None = None
    keeps_partial: bool = True


@dataclass(frozen=True, kw_only=True)
class Revision:
    """A commit of a repository in the cache: `storage` is the repository's folder."""

    storage: Path
    sha: str

    @property
    def folder(self) -> Path:
        """The folder of links."""
        return self.storage / "snapshots" / self.sha

    @property
    def is_whole(self) -> bool:
        """Whether its download came to an end and was checked."""
        return is_verified(self.storage, self.sha)

    def blobs(self) -> set[Path]:
        """The files that it consists of."""
        if not self.folder.is_dir():
            return set()
        return {path.resolve() for path in self.folder.iterdir() if path.is_file()}


@contextlib.contextmanager
def in_use(cache: Path, claim: str, *, timeout_s: float | None = None) -> Iterator[Path]:
    """The file of a claim's uses, locked as long as the context lasts; what it names is not removed meanwhile.

    Raises ModelCacheBusy where somebody else changes the cache all the time that is given.
    """
    path = cache / USES / claim
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(cache, timeout_s=timeout_s):
        held = path.open("w")
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
        held.close()


@dataclass(frozen=True, kw_only=True)
class ModelCache:
    """The cache in `folder`, shared by any number of processes of this machine."""

    folder: Path
    keeping: Keeping = field(default_factory=Keeping)

    def hold(self, revision: Revision, n_bytes: int = 0) -> None:
        """Write down that this claim reads a revision, or is going to bring it with so many bytes."""
        if self.keeping.use_file is None:
            return
        with locked(self.folder):
            self._note(revision, n_bytes)
            with contextlib.suppress(FileNotFoundError):
                os.utime(revision.folder)

    def make_room(self, revision: Revision, n_bytes: int) -> None:
        """Let `n_bytes` of a revision fit into the quota and onto the disk, by removing others, the longest unused
        first.

        Raises InsufficientStorage where that cannot be, ModelCacheBusy where it can once other claims are over; then
        nothing was removed.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with locked(self.folder):
            uses = self._uses()
            excess = self._excess(revision, n_bytes, uses)
            if excess > 0:
                self._remove(self._expendable(revision, n_bytes, excess, uses), excess)
            self._note(revision, n_bytes)

    def forget(self, revision: Revision) -> None:
        """Remove what came of a revision that was not brought to its end, unless others are bringing some of it."""
        if not self.folder.is_dir():
            return
        with locked(self.folder):
            if self._is_awaited(revision, self._uses()):
                return
            if not revision.is_whole:
                _remove_revision(revision)
            for path in _loose(revision.storage):
                path.unlink(missing_ok=True)
            if not has_verified_commit(revision.storage):
                shutil.rmtree(revision.storage, ignore_errors=True)
                shutil.rmtree(revision.storage.parent / ".locks" / revision.storage.name, ignore_errors=True)

    def _note(self, revision: Revision, n_bytes: int) -> None:
        if self.keeping.use_file is not None:
            with self.keeping.use_file.open("a") as lines:
                lines.write(f"{revision.storage.relative_to(self.folder)}\t{revision.sha}\t{n_bytes}\n")

    def _uses(self) -> dict[Revision, int]:
        """What living claims read, and how many bytes they are bringing of it; those of dead ones are cleared away."""
        found: dict[Revision, int] = {}
        for path in (self.folder / USES).glob("*"):
            with contextlib.suppress(FileNotFoundError), opened(path) as lines:
                if path != self.keeping.use_file and is_lockable(lines.fileno()):
                    path.unlink()
                    continue
                for line in lines:
                    storage, sha, n_bytes = line.rstrip("\n").split("\t")
                    revision = Revision(storage=self.folder / storage, sha=sha)
                    found[revision] = max(found.get(revision, 0), int(n_bytes))
        return found

    def _storages(self) -> list[Path]:
        return [*self.folder.glob("models--*"), *self.folder.glob("*/models--*")]

    def _excess(self, revision: Revision, n_bytes: int, uses: dict[Revision, int]) -> int:
        """How many bytes have to go; those that others are bringing count as if they were here.

        They go on meanwhile, so what belongs to whole revisions is read before it is asked which are not whole: one
        that is finished in between is here and no longer coming. Each file's size is read once, after that.
        """
        settled = {path for storage in {revision.storage, *(one.storage for one in uses)} for path in _settled(storage)}
        pending = {one: n for one, n in uses.items() if not one.is_whole} | {revision: n_bytes}
        sizes = {storage: {path: _size(path) for path in _files(storage)} for storage in self._storages()}
        coming = 0
        for one, n_wanted in pending.items():
            found = sizes.get(one.storage, {})
            coming += max(0, n_wanted - sum(n for path, n in found.items() if path not in settled))
        excess = coming - free_bytes(self.folder)
        if self.keeping.cache_bytes is not None:
            here = sum(sum(found.values()) for found in sizes.values())
            excess = max(excess, here + coming - self.keeping.cache_bytes)
        return excess

    def _expendable(self, wanted: Revision, n_bytes: int, excess: int, uses: dict[Revision, int]) -> list[Revision]:
        """What may go, in this order: pieces of downloads that nobody goes on with (without a sha), then revisions, the
        longest unused first. Raises InsufficientStorage, ModelCacheBusy.
        """
        whole = [one for storage in self._storages() for one in _revisions(storage) if one.is_whole]
        free = [one for one in whole if one not in (wanted, *uses) and not self._is_awaited(one, uses)]
        free.sort(key=lambda one: one.folder.stat().st_mtime_ns)
        used = {wanted.storage, *(one.storage for one in uses)}
        pieces = [storage for storage in self._storages() if storage not in used and _loose(storage)]
        if _gain(free) + sum(_size(path) for storage in pieces for path in _loose(storage)) >= excess:
            return [*(Revision(storage=storage, sha="") for storage in pieces), *free]
        limit = self.keeping.cache_bytes
        error = ModelCacheBusy if limit is not None and n_bytes <= limit and _gain(whole) >= excess else None
        quota = "" if limit is None else f" and the model cache may hold {limit}"
        raise (error or InsufficientStorage)(
            f"the download has {n_bytes} bytes, the disk of the model cache has {free_bytes(self.folder)} free{quota}",
            hint="free space there, raise BROCA_MODEL_CACHE_BYTES, or point the cache to a larger disk",
        )

    def _is_awaited(self, revision: Revision, uses: dict[Revision, int]) -> bool:
        """Whether a claim is bringing another revision of the same repository: its files may be among the pieces."""
        mine = set() if self.keeping.use_file is None else _noted(self.keeping.use_file)
        return any(
            one.storage == revision.storage
            and not one.is_whole
            and (str(one.storage.relative_to(self.folder)), one.sha) not in mine
            for one in uses
        )

    def _remove(self, expendable: list[Revision], excess: int) -> None:
        gained = 0
        for one in expendable:
            if gained >= excess:
                return
            gained += _remove_revision(one) if one.sha else _remove_pieces(one.storage)


def free_bytes(folder: Path) -> int:
    """Free bytes on the disk where `folder` lies or will lie."""
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(there).free


def _noted(use_file: Path) -> set[tuple[str, str]]:
    lines = use_file.read_text().splitlines() if use_file.is_file() else []
    return {(line.split("\t")[0], line.split("\t")[1]) for line in lines}


def _revisions(storage: Path) -> list[Revision]:
    snapshots = storage / "snapshots"
    return [Revision(storage=storage, sha=path.name) for path in snapshots.iterdir()] if snapshots.is_dir() else []


def _files(storage: Path) -> set[Path]:
    """Every file of a repository that takes room, each once."""
    inside = {path for path in (storage / "blobs").resolve().glob("*") if path.is_file()}
    return inside.union(*(one.blobs() for one in _revisions(storage)))


def _settled(storage: Path) -> set[Path]:
    """Files of revisions that are whole."""
    return {path for one in _revisions(storage) if one.is_whole for path in one.blobs()}


def _loose(storage: Path) -> set[Path]:
    """Files that belong to no revision that is whole: pieces of downloads."""
    return _files(storage) - _settled(storage)


def _gain(gone: list[Revision]) -> int:
    """The bytes that are free once all these are gone."""
    kept = {one for storage in {one.storage for one in gone} for one in _revisions(storage)}.difference(gone)
    files = {path for one in gone for path in one.blobs()}.difference(*(one.blobs() for one in kept))
    return sum(map(_size, files))


def _remove_revision(revision: Revision) -> int:
    """Remove a revision with the files that no other one shares; the bytes that came free."""
    for mark in marks(revision.storage, revision.sha):
        mark.unlink(missing_ok=True)
    own = revision.blobs().difference(*(one.blobs() for one in _revisions(revision.storage) if one != revision))
    n_bytes = sum(map(_size, own))
    shutil.rmtree(revision.folder, ignore_errors=True)
    (revision.storage / "trees" / f"{revision.sha}.json").unlink(missing_ok=True)
    for path in own:
        path.unlink(missing_ok=True)
    if not _revisions(revision.storage) and not _files(revision.storage):
        shutil.rmtree(revision.storage, ignore_errors=True)
    return n_bytes


def _remove_pieces(storage: Path) -> int:
    pieces = _loose(storage)
    n_bytes = sum(map(_size, pieces))
    for path in pieces:
        path.unlink(missing_ok=True)
    for revision in _revisions(storage):
        if not revision.is_whole:
            shutil.rmtree(revision.folder, ignore_errors=True)
    return n_bytes


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
