"""From a form that has come in to a data set that is here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from scoring.datasets.own.declaration import Declaration
from scoring.datasets.own.reading import is_known
from scoring.datasets.own.store import PREFIX, own_name
from storage import recordings
from storage.staging import Bounds

from ..benchmark_schemas import Benchmark
from ..errors import RequestInvalid
from ..requests import RecordingQuery
from ..routes.benchmarks import view_of
from ..settings import ApiSettings
from .multipart import SavedFile, UploadForm
from .queries import invalid

DECLARED = ("title", "licence", "citation", "n_folds", "measure", "alignment")


@dataclass(frozen=True, kw_only=True)
class Added:
    """A benchmark on data that were added, and whether they are new."""

    benchmark: Benchmark
    is_new: bool


def add(form: UploadForm, folder: Path, settings: ApiSettings, bounds: Bounds) -> Added:
    """The data set that a form stands for, taken in.

    Raises RequestInvalid, and what `recordings.accept` raises: RecordingRefused with everything that is wrong.
    """
    asked = _asked(form)
    name = own_name(asked.id)
    declared = Declaration(**asked.model_dump(exclude={"id"}))
    source = _source(form.files, folder)
    found, is_new = recordings.accept(settings.own_dir, source, name, declared, bounds=bounds)
    return Added(benchmark=view_of(found.benchmark_id, found.version, settings), is_new=is_new)


def _asked(form: UploadForm) -> RecordingQuery:
    """What is declared; the prefix of the name may be left out."""
    said = {name: texts[-1].strip() for name, texts in form.fields.items()}
    name = said.get("name", "")
    if not name:
        raise RequestInvalid("the data set has no name", hint="give it one", param="name")
    body: dict[str, Any] = {one: said[one] for one in DECLARED if said.get(one)}
    body["id"] = name if name.startswith(PREFIX) else f"{PREFIX}{name}"
    if "private" in said:
        body["private"] = True
    try:
        return RecordingQuery.model_validate(body)
    except ValidationError as error:
        raise invalid(error, RecordingQuery, {"id": "name"}) from error


def _source(files: list[SavedFile], folder: Path) -> Path:
    """One file, or a folder with several of the names that a data set's files have."""
    if not files:
        hint = "choose a ZIP archive, a netCDF file, a plain text, or the files themselves"
        raise RequestInvalid("there is no file", hint=hint, param="file")
    if len(files) == 1 and not is_known(files[0].name):
        return files[0].path
    together = folder / "files"
    together.mkdir()
    for one in files:
        if not is_known(one.name) or (together / one.name).exists():
            detail = f"{one.name[:64]!r} is not the name of a file of a data set, or comes twice"
            hint = "send only files of the names listed here, or one ZIP archive of them"
            raise RequestInvalid(detail, hint=hint, param="file")
        one.path.rename(together / one.name)
    return together
