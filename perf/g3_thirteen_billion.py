"""G3: a model of thirteen billion parameters on a GPU reads all texts at a good share of what the GPU can do."""

from __future__ import annotations

from . import gpu
from .table import Row

LINE = "G3"


def measure() -> list[Row]:
    """Share of the matrix peak, and memory left."""
    return gpu.share_rows(LINE, "13B shape", gpu.thirteen_billion)
