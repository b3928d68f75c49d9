"""Reads assemblies: netCDF files of one array, presentations × neuroids, with flat coordinates on both.

What belongs here: the format, and what is refused about it. What does not: what the coordinates of one data set mean.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import DataMalformed
from ..recording import ResponseArray, Units
from ..types import FloatArray, IndexArray, Passage

if TYPE_CHECKING:
    import xarray

ROWS, COLUMNS = "presentation", "neuroid"
TIME = "time_bin"
"""A third dimension that some files have, of length 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Assembly:
    """One array (n_presentations, n_neuroids) and its coordinates: arrays by name, as long as their dimension."""

    name: str
    values: ResponseArray
    presentations: Mapping[str, NDArray[Any]]
    neuroids: Mapping[str, NDArray[Any]]

    def texts(self, coordinate: str) -> tuple[str, ...]:
        """A coordinate of presentations that holds text, without spaces around it.

        Raises DataMalformed where it is missing or holds something else.
        """
        values = self._coordinate(self.presentations, ROWS, coordinate).tolist()
        if not all(isinstance(value, str | bytes) for value in values):
            raise DataMalformed(f"{self.name}: the coordinate {coordinate!r} does not hold text")
        return tuple(_label(value).strip() for value in values)

    def labels(self, coordinate: str) -> tuple[str, ...]:
        """A coordinate of presentations as names, whatever its type. Raises DataMalformed where it is missing."""
        return tuple(map(_label, self._coordinate(self.presentations, ROWS, coordinate).tolist()))

    def neuroid_labels(self, coordinate: str) -> tuple[str, ...]:
        """A coordinate of neuroids as names, whatever its type. Raises DataMalformed where it is missing."""
        return tuple(map(_label, self._coordinate(self.neuroids, COLUMNS, coordinate).tolist()))

    def units(self, *, participant: str, unit: str, region: str | None = None) -> Units:
        """Units by the coordinates that name their participant, themselves and, where the file has it, their region.

        Their place in space is that of col_to_coord_1 … 3, where the file has these.
        """
        return Units(
            ids=self.neuroid_labels(unit),
            participants=self.neuroid_labels(participant),
            regions=None if region not in self.neuroids else self.neuroid_labels(region or ""),
            coordinates=self._places(),
        )

    def select(self, rows: IndexArray, columns: IndexArray | None = None) -> Assembly:
        """The assembly of these presentations, in this order, and of these neuroids (None: all)."""
        columns = np.arange(self.values.shape[1]) if columns is None else columns
        return Assembly(
            name=self.name,
            values=self.values[np.ix_(rows, columns)],
            presentations={name: values[rows] for name, values in self.presentations.items()},
            neuroids={name: values[columns] for name, values in self.neuroids.items()},
        )

    def _places(self) -> FloatArray | None:
        names = [f"col_to_coord_{axis}" for axis in (1, 2, 3)]
        if any(name not in self.neuroids for name in names):
            return None
        return np.stack([self.neuroids[name].astype(np.float64) for name in names], axis=1)

    def _coordinate(self, known: Mapping[str, NDArray[Any]], dimension: str, name: str) -> NDArray[Any]:
        if name not in known:
            listed = ", ".join(sorted(known)) or "none"
            raise DataMalformed(f"{self.name} has no coordinate {name!r} on {dimension}; it has: {listed}")
        return known[name]


def read_assembly(path: Path) -> Assembly:
    """The assembly in a netCDF file.

    Raises DataMalformed where the file cannot be read, holds not exactly one array of presentations × neuroids, or
    holds something other than real numbers.
    """
    import xarray  # here, because the web process knows benchmarks and reads no recording

    try:
        with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
            dataset.load()
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise DataMalformed(f"{path.name} cannot be read as netCDF: {error}") from error
    variable = _array_of(dataset, path.name)
    return Assembly(
        name=path.name,
        values=_numbers(variable, path.name),
        presentations=_coordinates(dataset, ROWS),
        neuroids=_coordinates(dataset, COLUMNS),
    )


def gathered(keys: Sequence[Hashable]) -> IndexArray:
    """Rows in an order that puts those of one key together: keys by first appearance, their rows as they stand."""
    rank: dict[Hashable, int] = {}
    return np.argsort([rank.setdefault(key, len(rank)) for key in keys], kind="stable")


def joined(names: Sequence[str], texts: Sequence[str]) -> tuple[Passage, ...]:
    """Passages of texts whose names (those of their passages) stand together, a space between two texts."""
    by_name: dict[str, list[str]] = {}
    for name, text in zip(names, texts, strict=True):
        by_name.setdefault(name, []).append(text)
    return tuple(Passage.join(name, own) for name, own in by_name.items())


def _array_of(dataset: xarray.Dataset, name: str) -> xarray.Variable:
    """The one array of a file, its dimensions in order."""
    arrays = {key: variable for key, variable in dataset.data_vars.items() if variable.ndim > 1}
    if len(arrays) != 1:
        raise DataMalformed(f"{name} holds {len(arrays)} arrays, not one")
    (array,) = arrays.values()
    variable = array.variable
    if variable.sizes.get(TIME) == 1:
        variable = variable.isel({TIME: 0})
    if set(variable.dims) != {ROWS, COLUMNS}:
        found = ", ".join(f"{dim} ({size})" for dim, size in variable.sizes.items())
        raise DataMalformed(f"{name} has the dimensions {found}, not {ROWS} and {COLUMNS}")
    return variable.transpose(ROWS, COLUMNS)


def _numbers(variable: xarray.Variable, name: str) -> ResponseArray:
    values = np.asarray(variable.values)
    if values.dtype.kind not in "fiu":
        raise DataMalformed(f"{name} holds {values.dtype}, not real numbers")
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float64)


def _coordinates(dataset: xarray.Dataset, dimension: str) -> dict[str, NDArray[Any]]:
    """Arrays along one dimension by name, whether the file calls them coordinates or not."""
    return {
        str(key): np.asarray(found.values) for key, found in dataset.variables.items() if found.dims == (dimension,)
    }


def _label(value: object) -> str:
    return value.decode("utf8", errors="replace") if isinstance(value, bytes) else str(value)
