"""A folder as one file that can be sent."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FileUnusable


@contextmanager
def packed(source: Path) -> Iterator[Path]:
    """A file as it is; of a folder a ZIP archive of the files right in it, gone afterwards. Raises FileUnusable."""
    if source.is_file():
        yield source
        return
    if not source.is_dir():
        raise FileUnusable(f"{source} is neither a file nor a folder")
    with tempfile.TemporaryDirectory(prefix="broca-") as folder:
        archive = Path(folder) / "dataset.zip"
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as opened:
            for path in sorted(source.iterdir()):
                if path.is_file() and not path.name.startswith("."):
                    opened.write(path, path.name)
        yield archive
