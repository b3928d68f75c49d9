"""From r of units and folds to one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import NumericalFailure
from ..protocols import Pooling
from ..types import FloatArray, IndexArray

Blocks = Mapping[str, slice | IndexArray]
"""Columns that are pooled together, by whose they are."""


def pooled(r: FloatArray, participants: Sequence[str], pooling: Pooling = Pooling.PARTICIPANTS) -> float:
    """One number from r (n_folds, n_units), as `pooling` says.

    Raises NumericalFailure where a participant, or every unit, has a fold without any unit that varies.
    """
    if pooling is Pooling.POOLED_UNITS:
        return float(by_fold(r, participants, pooling).mean())
    return float(np.mean([*by_participant(r, participants, pooling).values()]))


def by_fold(r: FloatArray, participants: Sequence[str], pooling: Pooling) -> FloatArray:
    """The score of each fold, (n_folds,); their mean is the score of the part."""
    return by_row(r, blocks_of(participants, pooling), pooling)


def by_participant(r: FloatArray, participants: Sequence[str], pooling: Pooling) -> dict[str, float]:
    """The score of each participant's units alone, in order of first appearance."""
    owner = np.asarray(participants)
    return {
        one: float(_centre(r[:, owner == one], pooling, f"participant {one}").mean())
        for one in dict.fromkeys(participants)
    }


def blocks_of(participants: Sequence[str], pooling: Pooling) -> Blocks:
    """The columns that `pooling` takes together; neighbouring ones as a slice, which copies nothing."""
    if pooling is Pooling.POOLED_UNITS:
        return {"the part": slice(None)}
    owner = np.asarray(participants)
    return {f"participant {one}": _columns(np.flatnonzero(owner == one)) for one in dict.fromkeys(participants)}


def by_row(r: NDArray[np.floating[Any]], blocks: Blocks, pooling: Pooling) -> FloatArray:
    """The score of each row of r (n_rows, n_units): the centre of each block, then their mean, (n_rows,) float64.

    Raises NumericalFailure where a block has a row without any value.
    """
    centres = [_centre(r[:, columns], pooling, whose) for whose, columns in blocks.items()]
    return np.asarray(np.mean(centres, axis=0, dtype=np.float64))


def _columns(indices: IndexArray) -> slice | IndexArray:
    first, last = int(indices[0]), int(indices[-1])
    return slice(first, last + 1) if last - first + 1 == len(indices) else indices


def _centre(r: NDArray[np.floating[Any]], pooling: Pooling, whose: str) -> NDArray[np.floating[Any]]:
    if not np.isnan(r.sum(axis=1)).any():  # one pass where nothing is missing, the common case
        return np.asarray(r.mean(axis=1)) if pooling is Pooling.MEAN_UNITS else _median(r)
    is_nan = np.isnan(r)
    if is_nan.all(axis=1).any():
        raise NumericalFailure(f"{whose} has a fold in which no unit's response varies")
    if pooling is Pooling.MEAN_UNITS:
        return np.asarray(np.nanmean(r, axis=1))
    # np.nanmedian goes row by row: units that never have a value are left out before it.
    is_empty = is_nan.all(axis=0)
    rest = r[:, ~is_empty]
    has_gaps = is_nan.any(axis=0) & ~is_empty
    return np.asarray(np.nanmedian(rest, axis=1)) if has_gaps.any() else _median(rest)


def _median(r: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """The median of each row without NaN: one partial sort, where np.median makes three."""
    half = r.shape[1] // 2
    ordered = np.partition(r, half, axis=1)
    upper = ordered[:, half]
    return np.asarray(upper if r.shape[1] % 2 else (ordered[:, :half].max(axis=1) + upper) / 2)
