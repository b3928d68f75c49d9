"""What is declared of an imported file, and what the manifest beside it says for ever. Reads no imported content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ...errors import ImportMalformed, ModelIncomplete

MANIFEST_FILE = "manifest.json"
MAX_SOURCE_CHARACTERS = 1000


class ImportKind(StrEnum):
    """What an imported file holds."""

    WORD_VECTORS = "word-vectors"
    """One vector for each word; a stimulus is the mean over its words."""
    SURPRISALS = "surprisals"
    """How surprising each word or token of some stimuli was."""
    ACTIVATIONS = "activations"
    """Features of some stimuli, in one or more layers."""


class FileFormat(StrEnum):
    """How an imported file is written."""

    TEXT = "text"
    """A line for each word, as GloVe and word2vec are published."""
    CSV = "csv"
    """Comma-separated values in UTF-8 with a header."""
    PARQUET = "parquet"
    """A Parquet table."""
    SAFETENSORS = "safetensors"
    """Tensors with metadata, as numpy or torch save them."""


class Unit(StrEnum):
    """The logarithm in which surprisals or log-probabilities are given."""

    BITS = "bits"
    """Base 2."""
    NATS = "nats"
    """Base e, as most programming interfaces give log-probabilities."""


FORMATS: Mapping[ImportKind, tuple[FileFormat, ...]] = {
    ImportKind.WORD_VECTORS: (FileFormat.TEXT, FileFormat.SAFETENSORS),
    ImportKind.SURPRISALS: (FileFormat.CSV, FileFormat.PARQUET),
    ImportKind.ACTIVATIONS: (FileFormat.SAFETENSORS, FileFormat.CSV, FileFormat.PARQUET),
}
"""The formats in which each kind can be brought."""


@dataclass(frozen=True, kw_only=True)
class Declaration:
    """What the bringer says of a file.

    `unit` is that of surprisals, and None for everything else. With `allow_mismatch`, words of a benchmark whose text
    differs from the file's are missing instead of an error. Raises ImportMalformed.
    """

    kind: ImportKind
    format: FileFormat
    unit: Unit | None = None
    source: str = ""
    allow_mismatch: bool = False

    def __post_init__(self) -> None:
        if self.format not in FORMATS[self.kind]:
            known = " or ".join(FORMATS[self.kind])
            raise ImportMalformed(f"{self.kind} are brought as {known}, not as {self.format}", param="format")
        if self.kind is ImportKind.SURPRISALS and self.unit is None:
            raise ImportMalformed("the unit of the surprisals is not declared", hint="say bits or nats", param="unit")
        if self.kind is not ImportKind.SURPRISALS and self.unit is not None:
            raise ImportMalformed(f"{self.kind} have no unit; leave it out", param="unit")
        if len(self.source) > MAX_SOURCE_CHARACTERS or not self.source.isprintable():
            raise ImportMalformed(
                f"a source is at most {MAX_SOURCE_CHARACTERS} printable characters on one line", param="source"
            )


@dataclass(frozen=True, kw_only=True)
class Manifest(Declaration):
    """A declaration with what was found when the file was read; never changed afterwards.

    `n_rows` counts words, rows or stimuli; `n_layers` and `width` are None for surprisals, `width` also where layers
    differ in it. `created` is a time in UTC.
    """

    sha256: str
    n_bytes: int
    n_rows: int
    n_layers: int | None
    width: int | None
    created: str

    @property
    def revision(self) -> str:
        """40 hexadecimal digits of sha256 over manifest and file: the same whenever the same file is declared so."""
        said = {name: value for name, value in asdict(self).items() if name != "created"}
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:40]

    @property
    def data_file(self) -> str:
        """The name of the file beside the manifest."""
        return f"data.{self.format}"

    def write(self, folder: Path) -> None:
        """Put the manifest into a folder."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False)
        (folder / MANIFEST_FILE).write_text(text + "\n", encoding="utf8")

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """The manifest in a folder. Raises ModelIncomplete where it is missing or not one."""
        try:
            said: dict[str, Any] = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf8"))
            unit = said.pop("unit")
            return cls(
                kind=ImportKind(said.pop("kind")),
                format=FileFormat(said.pop("format")),
                unit=None if unit is None else Unit(unit),
                **said,
            )
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportMalformed) as error:
            raise ModelIncomplete(
                f"the manifest of {folder.parent.name} cannot be read: {type(error).__name__}",
                hint="import the file again",
                param="model",
            ) from error
