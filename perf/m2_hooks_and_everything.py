"""M2: neither logits nor the hidden states of all tokens nor a cache are made where only features are asked for."""

from __future__ import annotations

from . import hooks
from .table import Row, at_least

LINE = "M2"


def measure() -> list[Row]:
    """Peak memory of the features of P6 against that of the same batches with head, all hidden states and cache."""
    work = "peak memory of features; peer: logits, all hidden states and cache"
    return [hooks.row(LINE, work, hooks.prepare_everything, target=at_least(3, "{:.1f}×"))]
