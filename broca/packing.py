"""A folder as one file that can be sent."""

from __future__ import annotations

import zipfile
from pathlib import Path

from .errors import FileUnusable


def pack(source: Path, folder: Path) -> Path:
    """A file as it is; of a folder a ZIP archive, in `folder`, of the files right in it. Raises FileUnusable."""
    if source.is_file():
        return source
    if not source.is_dir():
        raise FileUnusable(f"{source} is neither a file nor a folder")
    archive = folder / "dataset.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as opened:
        for path in sorted(source.iterdir()):
            if path.is_file() and not path.name.startswith("."):
                opened.write(path, path.name)
    return archive
