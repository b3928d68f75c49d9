"""How much of an imported file is read at the most. What is bounded by the size of the file itself is not here."""

from __future__ import annotations

from pathlib import Path

from ...errors import ImportMalformed

MAX_ROWS = 2**20
"""Rows of a table."""

MAX_COLUMNS = 2**16
"""Columns of a table."""

MAX_LAYERS = 1024
"""Layers of activations, in a table or as tensors."""

MAX_WORDS = 2**22
"""Words with a vector in a text."""

MAX_HEADER_CHARACTERS = 10_000_000
"""Characters of the first line of a CSV file."""

BYTES_OF_A_CELL = 4
"""A number of a table once it is read, as float32."""

UNPACKED_PER_BYTE = 64
"""Bytes that a byte of a Parquet file may unpack to: repeated values take next to no room in it."""

ALWAYS_UNPACKED_BYTES = 2**25
"""Bytes that a Parquet file may unpack to however small it is."""


def unpacked_bytes(path: Path, max_bytes: int) -> int:
    """Bytes that a Parquet file may unpack to: never more than a file of any format may have."""
    return min(max_bytes, max(ALWAYS_UNPACKED_BYTES, UNPACKED_PER_BYTE * path.stat().st_size))


def refuse_more(number: int, most: int, what: str) -> None:
    """Raises ImportMalformed where there are more than are read."""
    if number > most:
        raise ImportMalformed(f"the file has {number} {what}; at most {most} are read")
