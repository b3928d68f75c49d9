"""What the process that takes a data set in is told, as a file in its folder, and what it leaves there."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .declaration import Declaration

ORDER_FILE = "order.json"
REFUSAL_FILE = "refusal.json"
STAGED_FOLDER = "staged"
"""Where the version is written to, beside the order."""

UNPACKED_FOLDER = "unpacked"
"""Where an archive's files are written to."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What to take in: `source` is a folder, a ZIP archive of one or a netCDF file; `declared` outdoes dataset.toml.

    `max_bytes` bounds what the files may unpack to; None for a folder of this machine's own user.
    """

    name: str
    source: Path
    declared: Declaration
    max_bytes: int | None

    def write(self, folder: Path) -> None:
        """Put the order into a folder."""
        (folder / ORDER_FILE).write_text(json.dumps(asdict(self), default=str), encoding="utf8")

    @classmethod
    def read(cls, folder: Path) -> Order:
        """The order in a folder."""
        said: dict[str, Any] = json.loads((folder / ORDER_FILE).read_text(encoding="utf8"))
        declared = Declaration(**said.pop("declared"))
        return cls(source=Path(said.pop("source")), declared=declared, **said)
