"""G2: a model of seven billion parameters on a GPU reads all texts at a good share of what the GPU can do."""

from __future__ import annotations

from . import gpu
from .table import Row

LINE = "G2"


def measure() -> list[Row]:
    """Share of the matrix peak, and memory left."""
    return gpu.share_rows(LINE, "7B shape", gpu.seven_billion)
