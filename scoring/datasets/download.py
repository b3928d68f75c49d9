"""Where the files of data sets are found: a mirror folder first, then the cache, then their public address."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import pooch
import requests

from ..errors import DataChecksumMismatch, DataMalformed, DataMissing, DataUnreachable, shown
from .manifest import DataFile, Dataset

TIMEOUT_S = 60

OnBytes = Callable[[str, int, int], None]
"""Told the name of a file, how many of its bytes have come, and how many it has."""


@dataclass(frozen=True, kw_only=True)
class DataStore:
    """Files of data sets on this machine.

    `mirror` is a folder somebody filled (BROCA_DATA_MIRROR), never written to. `cache` receives downloads, unless
    `offline`. Every file is checked against its known checksum whenever it is handed out.
    """

    cache: Path
    mirror: Path | None = None
    offline: bool = False
    on_bytes: OnBytes | None = None

    def path(self, dataset: Dataset, file: DataFile) -> Path:
        """The file on disk, checked. Raises DataMissing, DataChecksumMismatch."""
        try:
            for candidate in self._places(dataset, file):
                if candidate.is_file():
                    _require_checksum(candidate, file)
                    return candidate
            return self._fetch(dataset, file)
        except OSError as error:
            reason = f"{file.name} of {dataset.name} cannot be read: {error.strerror}"
            raise DataMissing(reason, hint=_hint(file)) from error

    def extra(self, dataset: Dataset, file: DataFile) -> Path | None:
        """A file that may be missing, checked; None where it is not on this machine. Raises DataChecksumMismatch."""
        return self.path(dataset, file) if self._has(dataset, file) else None

    def at_hand(self, dataset: Dataset) -> Dataset:
        """The data set with the files that are here, where people bring them; any other as it is.

        Raises DataMissing where nothing was brought, DataMalformed where the list of sums cannot be read.
        """
        if dataset.listing is None:
            return dataset
        listing = None if self.mirror is None else self.mirror / dataset.listing
        if listing is None or not listing.is_file():
            reason = f"{dataset.name} is brought by its users; there is no folder of it here"
            raise DataMissing(reason, hint=f"set BROCA_DATA_MIRROR to a folder that holds {dataset.listing}")
        try:
            return replace(dataset, listing=None, files=_listed(listing, dataset.listing.rpartition("/")[0]))
        except OSError as error:
            raise DataMissing(f"{listing.name} of {dataset.name} cannot be read: {error.strerror}") from error

    def is_ready(self, dataset: Dataset) -> bool:
        """Whether every file is here, by name and size where it is known; no data are read or fetched."""
        try:
            files = self.at_hand(dataset).files
        except (DataMissing, DataMalformed):
            return False
        return all(self._has(dataset, file) for file in files)

    def _has(self, dataset: Dataset, file: DataFile) -> bool:
        return any(_is_there(place, file) for place in self._places(dataset, file))

    def _places(self, dataset: Dataset, file: DataFile) -> Iterable[Path]:
        if self.mirror is not None:
            yield self.mirror / file.mirror
        yield self.cache / dataset.name / file.digest[:12] / file.name

    def _fetch(self, dataset: Dataset, file: DataFile) -> Path:
        name = f"{file.name} of {dataset.name}"
        if file.public is None:
            raise DataMissing(f"{name} has no public address; a mirror must hold it", hint=_hint(file))
        if self.offline:
            raise DataMissing(f"{name} is not on this machine", hint=_hint(file))
        *_, target = self._places(dataset, file)
        try:
            pooch.retrieve(
                file.public,
                known_hash=f"{file.algorithm}:{file.digest}",
                fname=target.name,
                path=target.parent,
                downloader=pooch.HTTPDownloader(progressbar=self._bar(file), timeout=TIMEOUT_S),
            )
        except requests.HTTPError as error:
            raise DataMissing(f"{name} could not be fetched: {error}", hint=_hint(file)) from error
        except requests.RequestException as error:
            raise DataUnreachable(f"{name} could not be fetched: {error}", hint=_hint(file)) from error
        except ValueError as error:
            raise DataChecksumMismatch(f"{file.public} does not hold the file that the manifest names") from error
        return target

    def _bar(self, file: DataFile) -> _Bar | bool:
        return False if self.on_bytes is None else _Bar(file.name, self.on_bytes)


class _Bar:
    """What pooch takes for a progress bar; it tells a function."""

    def __init__(self, name: str, on_bytes: OnBytes) -> None:
        self._name = name
        self._on_bytes = on_bytes
        self._n_come = 0
        self.total = 0

    def update(self, n_bytes: int) -> None:
        """So many bytes more have come."""
        self._n_come += n_bytes
        self._on_bytes(self._name, self._n_come, self.total)

    def reset(self) -> None:
        """All are counted anew: pooch sets the bar back before it fills it for the last time."""
        self._n_come = 0

    def close(self) -> None:
        """Nothing is left open."""


def _hint(file: DataFile) -> str:
    return f"set BROCA_DATA_MIRROR to a folder that holds {file.mirror}"


def _is_there(place: Path, file: DataFile) -> bool:
    try:
        return place.is_file() and file.n_bytes in (None, place.stat().st_size)
    except OSError:
        return False


def _require_checksum(path: Path, file: DataFile) -> None:
    with path.open("rb") as stream:
        found = hashlib.file_digest(stream, file.algorithm).hexdigest()
    if found != file.digest:
        raise DataChecksumMismatch(
            f"{path.name} has {file.algorithm} {found[:12]}…, the manifest says {file.digest[:12]}…",
            hint=f"remove {path} or replace it by the original",
        )


def _listed(listing: Path, folder: str) -> tuple[DataFile, ...]:
    """The files of a list as `sha256sum` writes it, sorted by name; all lie beside it, in `folder` of a mirror."""
    found = []
    for line in listing.read_text("utf8", errors="replace").splitlines():
        match = re.fullmatch(r"([0-9a-f]{64}) [ *]([\w-][\w.-]*)", line)
        if match is None:
            raise DataMalformed(f"{listing.name} has the line {shown(line)}, not a sha256 sum and the name of a file")
        found.append(DataFile(name=match[2], public=None, mirror=f"{folder}/{match[2]}", sha256=match[1]))
    return tuple(sorted(found, key=lambda file: file.name))
