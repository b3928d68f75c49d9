"""Putting imported files where scoring finds them: written beside, checked, then named; whole or not at all.

`<folder>/<name>/<revision>/` never changes once it is there. `<folder>/<name>/current` names the revision that is
meant; only a replacement changes it, so that a run under way keeps reading what it was resolved to. What was replaced
stays for a day and goes when the name is given something else after that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from scoring.errors import ModelIncomplete
from scoring.subjects.imports.manifest import Declaration, Manifest
from scoring.subjects.imports.reading import read_content
from scoring.subjects.imports.store import CURRENT_FILE, Import, current_revision
from scoring.subjects.model_ids import is_commit_sha

from .engine import Database
from .errors import ModelExists
from .models import Model, NewModel, remember
from .staging import Bounds, age_s, alone, require_room

REPLACED_KEPT_S = 24 * 3600.0
"""For so long a revision that the name does not mean any more is kept for the runs that were resolved to it."""


@dataclass(frozen=True, kw_only=True)
class Staged:
    """A file that was read and found good, beside its manifest, not yet under its name."""

    folder: Path
    manifest: Manifest


def accept(
    database: Database, upload: Path, name: str, declared: Declaration, *, bounds: Bounds, replace: bool
) -> tuple[Model, bool]:
    """The model `imported/<name>` with the content of an uploaded file, and whether it is new; the file is moved.

    The file lies in its folder of `incoming`, and is read to its end first. The same content under the same name is
    there already and stays. Raises ImportMalformed; ModelExists where the name has other content and `replace` does
    not say so; InsufficientStorage or QuotaExceeded where there is no room for it.
    """
    import_dir = upload.parent.parent
    staged = _stage(upload, declared, bounds.max_bytes)
    with alone(import_dir):
        _require_free(import_dir, name, staged, replace=replace)
        _remove_replaced(import_dir, name, staged)
        place = import_dir / name / staged.manifest.revision
        is_placed = not place.is_dir()
        if is_placed:
            require_room(import_dir, staged.folder, bounds)
        try:
            manifest = _place(place, staged)
            with database.write() as session:
                model = remember(session, _new_model(name, manifest))
                return model, _point(import_dir, name, staged, replace=replace)
        finally:
            if is_placed and current_revision(import_dir, name) != place.name:
                shutil.rmtree(place, ignore_errors=True)


def _stage(upload: Path, declared: Declaration, max_bytes: int) -> Staged:
    """Read the file to its end and put it into a folder with the manifest that describes it."""
    content = read_content(upload, declared, max_bytes=max_bytes)
    with upload.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = Manifest(
        **asdict(declared),
        sha256=sha256,
        n_bytes=upload.stat().st_size,
        n_rows=content.n_rows,
        n_layers=content.n_layers,
        width=content.width,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    folder = upload.parent / "staged"
    folder.mkdir()
    upload.rename(folder / manifest.data_file)
    manifest.write(folder)
    return Staged(folder=folder, manifest=manifest)


def _remove_replaced(import_dir: Path, name: str, staged: Staged) -> None:
    """Remove the revisions that the name has not meant for a day, unless they are what is to be placed."""
    kept = {staged.manifest.revision, current_revision(import_dir, name)}
    for path in (import_dir / name).glob("*"):
        with contextlib.suppress(OSError):
            if is_commit_sha(path.name) and path.name not in kept and age_s(path) > REPLACED_KEPT_S:
                removed = path.rename(staged.folder.with_name(f"replaced-{path.name}"))
                shutil.rmtree(removed, ignore_errors=True)


def _place(place: Path, staged: Staged) -> Manifest:
    """Give the staged folder its place and the manifest that holds there: that of the first time, if it is whole."""
    place.parent.mkdir(exist_ok=True)
    if place.is_dir():
        known = _whole_manifest(place)
        if known is not None:
            return known
        place.rename(staged.folder.with_name("damaged"))
    try:
        staged.folder.rename(place)
    except OSError:  # another upload of the same content was first
        if not place.is_dir():
            raise
    return Manifest.read(place)


def _whole_manifest(place: Path) -> Manifest | None:
    """The manifest of a revision whose files are as they were imported; None where they are not."""
    try:
        found = Import(name=place.parent.name, revision=place.name, folder=place, manifest=Manifest.read(place))
        found.require_checksum()
    except ModelIncomplete:
        return None
    return found.manifest


def _point(import_dir: Path, name: str, staged: Staged, *, replace: bool) -> bool:
    """Let the name mean the revision that is in its place; whether it meant something else before."""
    revision, current = staged.manifest.revision, import_dir / name / CURRENT_FILE
    known = current_revision(import_dir, name)
    if known == revision:
        return False
    pointer = staged.folder.with_name(CURRENT_FILE)
    pointer.write_text(f"{revision}\n", encoding="ascii")
    if replace:
        if known is not None:
            with contextlib.suppress(OSError):
                os.utime(current.with_name(known))  # it counts as replaced from now on
        pointer.replace(current)
        return True
    try:
        os.link(pointer, current)
    except FileExistsError:
        _require_free(import_dir, name, staged, replace=replace)
        return False
    return True


def _require_free(import_dir: Path, name: str, staged: Staged, *, replace: bool) -> None:
    """Raises ModelExists where the name means other content and is not to be replaced."""
    known = current_revision(import_dir, name)
    if known is not None and known != staged.manifest.revision and not replace:
        raise ModelExists(
            f"imported/{name} is there with other content or another declaration, at revision {known}",
            hint="choose another name, or say replace=true: scores of the old content stay",
            param="id",
        )


def _new_model(name: str, manifest: Manifest) -> NewModel:
    said = asdict(manifest)
    shown = ("kind", "format", "unit", "source", "allow_mismatch", "sha256", "n_bytes", "n_rows", "created")
    return NewModel(
        id=f"imported/{name}",
        revision=manifest.revision,
        family="imported",
        architecture=manifest.kind,
        n_layers=manifest.n_layers,
        width=manifest.width,
        labels={field: said[field] for field in shown},
    )
