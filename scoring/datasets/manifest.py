"""The manifest as objects: which files a data set has, and how each is known."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from types import MappingProxyType

from ..errors import DataMissing
from ..registry import did_you_mean


class Alignment(StrEnum):
    """To which word a file of reading times gives a time."""

    ORIGINAL = "original"
    """One word off: the time recorded at a word is that of the next one, RT(z) = recorded(z − 1) within a story."""
    CORRECTED = "corrected"
    """To the word that was read."""


@dataclass(frozen=True, kw_only=True)
class DataFile:
    """One file: `public` is its address (None: there is none), `mirror` its path in a mirror folder.

    It is known by the checksum that its publisher gives, `sha256` or `sha1`; `n_bytes` is None where nobody says it.
    """

    name: str
    public: str | None
    mirror: str
    sha256: str | None = None
    sha1: str | None = None
    n_bytes: int | None = None
    alignment: Alignment | None = None

    def __post_init__(self) -> None:
        assert (self.sha256 is None) != (self.sha1 is None), f"{self.name} has one checksum"

    @property
    def algorithm(self) -> str:
        """The name of the checksum that is known."""
        return "sha1" if self.sha256 is None else "sha256"

    @property
    def digest(self) -> str:
        """The known checksum, in hexadecimal."""
        return self.sha256 or self.sha1 or ""


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """A data set as the manifest has it.

    `extras` are files that may be missing and are no part of the data's identity. Where people bring the files
    themselves, `listing` is the path in a mirror of the sha256 sums that say what they brought, and `files` is empty
    until `DataStore.at_hand` has read them.
    """

    name: str
    title: str
    licence: str
    citation: str
    files: tuple[DataFile, ...]
    extras: tuple[DataFile, ...] = ()
    listing: str | None = None

    @property
    def sha256(self) -> str:
        """The identity of the data, part of every score's key: the digest of the files' digests, in their order."""
        assert self.listing is None, f"what {self.name} consists of is known from the files at hand"
        return hashlib.sha256("\n".join(file.digest for file in self.files).encode()).hexdigest()

    @property
    def is_public(self) -> bool:
        """Whether every file has a public address."""
        return self.listing is None and all(file.public for file in self.files)

    def file(self, name: str) -> DataFile:
        """The file of this name."""
        return next(file for file in (*self.files, *self.extras) if file.name == name)


@cache
def datasets() -> Mapping[str, Dataset]:
    """Every data set of the manifest, by name; the file is read once."""
    text = resources.files(__package__).joinpath("manifest.toml").read_text("utf8")
    return MappingProxyType({name: _dataset(name, entry) for name, entry in tomllib.loads(text).items()})


def dataset_named(name: str) -> Dataset:
    """The data set of this name. Raises DataMissing with the nearest names."""
    known = datasets()
    if name not in known:
        raise DataMissing(
            f"{name!r} is not one of the data sets {', '.join(known)}", hint=did_you_mean(name, tuple(known))
        )
    return known[name]


def _dataset(name: str, entry: dict[str, object]) -> Dataset:
    base, listing = str(entry.get("public_base", "")), entry.get("listing")
    return Dataset(
        name=name,
        title=str(entry["title"]),
        licence=str(entry["licence"]),
        citation=str(entry["citation"]),
        files=_files(entry.get("files", []), base),
        extras=_files(entry.get("extras", []), base),
        listing=None if listing is None else str(listing),
    )


def _files(entries: object, base: str) -> tuple[DataFile, ...]:
    assert isinstance(entries, list), "the manifest lists files as tables"
    return tuple(
        DataFile(
            name=file["name"],
            public=base + file["public"] if "public" in file else None,
            mirror=file["mirror"],
            sha256=file.get("sha256"),
            sha1=file.get("sha1"),
            n_bytes=file.get("bytes"),
            alignment=None if "alignment" not in file else Alignment(file["alignment"]),
        )
        for file in entries
    )
