"""M1: the hooks keep only the positions that are needed, so that reading features takes hardly more than reading."""

from __future__ import annotations

from . import hooks
from .table import Row, at_most

LINE = "M1"


def measure() -> list[Row]:
    """Peak memory of reading the features of P6 against that of the same batches without hooks.

    The features that are answered do not count: they are what was asked for, however it is read.
    """
    work = "peak memory of reading features, without the answer; peer: bare forward, same batches"
    target = at_most(1.1, "{:.2f}×")
    return [hooks.row(LINE, work, hooks.prepare_bare_forward, target=target, not_counted=hooks.answered_bytes())]
