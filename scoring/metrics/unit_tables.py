"""The table of units behind a score of brains, from the fits that the score was made of."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..recording import Recording
from ..types import FloatArray, IndexArray
from ..unit_table import UnitTable
from .part_fits import PartFits


def tabulate_units(fits: Sequence[PartFits], recording: Recording) -> UnitTable:
    """Every unit of every part with its r under the layers that were chosen, averaged over folds."""
    units = recording.units
    places = np.concatenate([part.data.units for part in fits])
    r, n_folds = zip(*(_over_folds(part.of_chosen("test_r")) for part in fits), strict=True)
    x, y, z = _coordinates(units.coordinates, places)
    return UnitTable(
        part=tuple(part.data.name for part in fits for _ in part.data.units),
        unit=tuple(units.ids[place] for place in places),
        participant=tuple(units.participants[place] for place in places),
        region=tuple(None if units.regions is None else units.regions[place] for place in places),
        x=x,
        y=y,
        z=z,
        r=_numbers(np.concatenate(r)),
        n_folds=tuple(np.concatenate(n_folds).tolist()),
    )


def _over_folds(r: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The mean of r (n_folds, n_units) over folds that have a value, NaN where none has, and how many there are."""
    n_folds = (~np.isnan(r)).sum(axis=0)
    total = np.nansum(r, axis=0)
    return np.divide(total, n_folds, out=np.full(len(total), np.nan), where=n_folds > 0), n_folds


def _coordinates(coordinates: FloatArray | None, places: IndexArray) -> list[tuple[float | None, ...]]:
    if coordinates is None:
        return [(None,) * len(places)] * 3
    return [_numbers(axis) for axis in np.asarray(coordinates, dtype=np.float64)[places].T]


def _numbers(values: FloatArray) -> tuple[float | None, ...]:
    return tuple(None if np.isnan(value) else float(value) for value in values)
