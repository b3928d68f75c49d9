"""The manifest as objects: which files a data set has, and how each is known."""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from ..errors import DataMissing
from ..registry import did_you_mean


class Alignment(StrEnum):
    """To which word a file of reading times gives a time."""

    ORIGINAL = "original"
    """One word late: the time recorded at a word is that of the word before."""
    CORRECTED = "corrected"
    """To the word that was read."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file: `public` is its address (None: there is none), `mirror` its path in a mirror folder."""

    name: str
    public: str | None
    mirror: str
    sha256: str
    n_bytes: int
    alignment: Alignment | None


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set as the manifest has it. `sha256` is the digest of its files' digests, in the manifest's order."""

    name: str
    title: str
    licence: str
    citation: str
    files: tuple[DataFile, ...]

    @property
    def sha256(self) -> str:
        """The identity of the data: part of every score's key."""
        return hashlib.sha256("\n".join(file.sha256 for file in self.files).encode()).hexdigest()

    @property
    def is_public(self) -> bool:
        """Whether every file has a public address."""
        return all(file.public for file in self.files)

    def file(self, name: str) -> DataFile:
        """The file of this name."""
        return next(file for file in self.files if file.name == name)


def datasets() -> dict[str, Dataset]:
    """Every data set of the manifest, by name."""
    text = resources.files(__package__).joinpath("manifest.toml").read_text("utf8")
    return {name: _dataset(name, entry) for name, entry in tomllib.loads(text).items()}


def dataset_named(name: str) -> Dataset:
    """The data set of this name. Raises DataMissing with the nearest names."""
    known = datasets()
    if name not in known:
        raise DataMissing(
            f"{name!r} is not one of the data sets {', '.join(known)}", hint=did_you_mean(name, tuple(known))
        )
    return known[name]


def _dataset(name: str, entry: dict[str, object]) -> Dataset:
    files = entry["files"]
    assert isinstance(files, list), "the manifest lists files as tables"
    base = str(entry.get("public_base", ""))
    return Dataset(
        name=name,
        title=str(entry["title"]),
        licence=str(entry["licence"]),
        citation=str(entry["citation"]),
        files=tuple(
            DataFile(
                name=file["name"],
                public=base + file["public"] if "public" in file else None,
                mirror=file["mirror"],
                sha256=file["sha256"],
                n_bytes=file["bytes"],
                alignment=None if "alignment" not in file else Alignment(file["alignment"]),
            )
            for file in files
        ),
    )
