"""What `broca data list` and `broca data verify` tell, as rows. Imported when a command runs: it loads the science."""

from __future__ import annotations

from typing import Any

from scoring.datasets.download import DataStore
from scoring.datasets.manifest import Dataset, dataset_named, datasets
from scoring.datasets.own.store import PREFIX, find, own_names, versions
from scoring.errors import DataChecksumMismatch, DataMalformed, DataMissing, ScoringError
from scoring.registry import Shelf, names
from storage.settings import StorageSettings

Row = dict[str, Any]


def inventory(settings: StorageSettings) -> list[Row]:
    """Every data set: those of the manifest, those that are made, those that were added at their newest version."""
    store, known = settings.data_store(offline=True), datasets()
    rows = [_published(store, dataset) for dataset in known.values()]
    made = {"licence": None, "bytes": None, "state": "made when needed", "where": "SYNTHETIC", "private": False}
    rows += [{"name": name, "title": "planted data", **made} for name in names(Shelf.DATASETS) if name not in known]
    return rows + [_own(settings, name) for name in own_names(settings.own_dir, include_private=True)]


def verified(settings: StorageSettings, name: str | None) -> list[Row]:
    """Whether each file is what its checksum says: of one data set, or of all. Raises DataMissing, BenchmarkUnknown."""
    if name is not None and name.startswith(PREFIX):
        find(settings.own_dir, name.removeprefix(PREFIX))
        return _verified_own(settings, name.removeprefix(PREFIX))
    store = settings.data_store(offline=True)
    chosen = datasets().values() if name is None else [dataset_named(name)]
    rows = [row for dataset in chosen for row in _verified_published(store, dataset)]
    if name is None:
        own = own_names(settings.own_dir, include_private=True)
        rows += [row for one in own for row in _verified_own(settings, one)]
    return rows


def _published(store: DataStore, dataset: Dataset) -> Row:
    is_here = store.is_ready(dataset)
    state = "here" if is_here else "fetchable" if dataset.is_public else "missing"
    return {
        "name": dataset.name,
        "title": dataset.title,
        "licence": dataset.licence,
        "bytes": sum(file.n_bytes or 0 for file in dataset.files) or None,
        "state": state,
        "where": _where(store, dataset, is_here=is_here),
        "private": False,
    }


def _where(store: DataStore, dataset: Dataset, *, is_here: bool) -> str:
    if dataset.listing is not None and not is_here:
        return "brought by its users"
    if store.mirror is not None and all((store.mirror / file.mirror).is_file() for file in dataset.files):
        return f"mirror {store.mirror}"
    if is_here:
        return str(store.cache / dataset.name)
    return "public address" if dataset.is_public else "only in a mirror"


def _own(settings: StorageSettings, name: str) -> Row:
    row = {"name": f"{PREFIX}{name}", "where": str(settings.own_dir / name)}
    try:
        found = find(settings.own_dir, name)
    except ScoringError as error:
        return row | {"title": error.detail, "licence": None, "bytes": None, "state": "damaged", "private": True}
    said = found.manifest
    state = f"here, version {found.version}"
    return row | {
        "title": said.title,
        "licence": said.licence,
        "bytes": said.n_bytes,
        "state": state,
        "private": said.private,
    }


def _verified_published(store: DataStore, dataset: Dataset) -> list[Row]:
    rows = []
    try:
        files = store.at_hand(dataset).files
    except (DataMissing, DataMalformed) as error:
        state = "missing" if isinstance(error, DataMissing) else "damaged"
        return [{"name": dataset.name, "file": dataset.listing, "state": state, "detail": error.detail}]
    for file in files:
        row: Row = {"name": dataset.name, "file": file.name, "state": "whole", "detail": None}
        try:
            store.path(dataset, file)
        except DataChecksumMismatch as error:
            row |= {"state": "damaged", "detail": f"{error.detail}; {error.hint}"}
        except DataMissing as error:
            row |= {"state": "missing", "detail": error.detail}
        rows.append(row)
    return rows


def _verified_own(settings: StorageSettings, name: str) -> list[Row]:
    rows = []
    for version in versions(settings.own_dir, name):
        row: Row = {"name": f"{PREFIX}{name}", "file": f"version {version}", "state": "whole", "detail": None}
        try:
            find(settings.own_dir, name, version).require_checksums()
        except ScoringError as error:
            row |= {"state": "damaged", "detail": f"{error.detail}; {error.hint}"}
        rows.append(row)
    return rows
