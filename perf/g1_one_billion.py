"""G1: a model of one billion parameters on a GPU reads all texts at a good share of what the GPU can do."""

from __future__ import annotations

from . import gpu
from .table import Row

LINE = "G1"


def measure() -> list[Row]:
    """Share of the matrix peak, and memory left."""
    return gpu.share_rows(LINE, "1B shape", gpu.one_billion)
