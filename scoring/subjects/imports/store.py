"""Where imports lie and how they are found: `<folder>/<name>/<revision>/`, and the name of the current revision.

What belongs here: reading. Putting a file there is told in `storage.imports`. Standard library only, since the web
process asks for revisions too.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from ...errors import ModelIncomplete, ModelNotFound, RevisionNotFound
from ..model_ids import DEFAULT_REVISION, is_commit_sha
from .manifest import Manifest

CURRENT_FILE = "current"
"""Holds the revision that is meant where none is named."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """One revision of what was imported under a name."""

    name: str
    revision: str
    folder: Path
    manifest: Manifest

    @property
    def data(self) -> Path:
        """The file as it was brought."""
        return self.folder / self.manifest.data_file

    def require_checksum(self) -> None:
        """Pass if file and manifest are as they were imported; ModelIncomplete otherwise."""
        try:
            with self.data.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise self._changed(f"cannot be read: {error.strerror}") from error
        if found != self.manifest.sha256 or self.manifest.revision != self.revision:
            raise self._changed("are not what was imported")

    def _changed(self, what: str) -> ModelIncomplete:
        return ModelIncomplete(f"the files of imported/{self.name} {what}", hint="import the file again", param="model")


def find_import(import_dir: Path | None, name: str, revision: str | None = None) -> Import:
    """What was imported under `name`, at a revision of 40 digits or (None, main) at the current one.

    Raises ModelNotFound, RevisionNotFound, ModelIncomplete.
    """
    current = current_revision(import_dir, name)
    if import_dir is None or current is None:
        raise _missing(import_dir, name)
    wanted = current if revision in (None, DEFAULT_REVISION) else str(revision)
    folder = import_dir / name / wanted
    if not is_commit_sha(wanted) or not folder.is_dir():
        raise RevisionNotFound(
            f"imported/{name} has no revision {wanted[:64]}; its current one is {current}",
            hint="leave the revision out",
            param="revision",
        )
    return Import(name=name, revision=wanted, folder=folder, manifest=Manifest.read(folder))


def current_revision(import_dir: Path | None, name: str) -> str | None:
    """The revision that `imported/<name>` means now; None where nothing was imported under the name."""
    if import_dir is None:
        return None
    try:
        found = (import_dir / name / CURRENT_FILE).read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return None
    return found if is_commit_sha(found) else None


def _missing(import_dir: Path | None, name: str) -> ModelNotFound:
    found = import_dir.glob(f"[!.]*/{CURRENT_FILE}") if import_dir is not None and import_dir.is_dir() else ()
    near = get_close_matches(name, [path.parent.name for path in found], n=3)
    hint = f"did you mean {' or '.join(f'`imported/{close}`' for close in near)}?" if near else None
    return ModelNotFound(
        f"nothing was imported as {name!r}",
        hint=hint or "POST /v1/models imports a file; server and workers must share their data folder",
        param="model",
    )
