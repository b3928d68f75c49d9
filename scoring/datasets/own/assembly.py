"""Reading one netCDF assembly: presentations × neuroids with flat coordinates, as the field exchanges recordings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import shown
from .findings import Findings
from .material import Material, Responses
from .responses_file import as_responses

if TYPE_CHECKING:
    from xarray import DataArray, Dataset

PRESENTATION = {
    "stimulus_id": ("stimulus_id",),
    "text": ("stimulus", "text"),
    "passage": ("passage", "passage_label", "sentence_id", "story"),
    "group": ("group", "story", "passage", "passage_label", "sentence_id"),
    "part": ("part", "experiment"),
}
"""Columns of stimuli, and the coordinates that they are taken from: the first that is there."""

NEUROID = {
    "unit_id": ("neuroid_id", "unit_id", "electrode"),
    "participant": ("subject", "participant", "subject_UID", "subject_id"),
    "roi": ("roi",),
}
"""Columns of units, likewise."""

OPTIONAL = {"part", "roi"}


def read_assembly(path: Path, findings: Findings, *, max_bytes: int) -> Material:
    """What an assembly holds; with errors, and None, for what it lacks."""
    nothing = Material(stimuli=None, units=None, responses=None)
    import xarray

    try:
        with xarray.open_dataset(path, engine="h5netcdf", decode_times=False, decode_timedelta=False) as dataset:
            array = _array(dataset, path, findings, max_bytes)
            return nothing if array is None else _material(array.load(), path, findings)
    except MemoryError:
        raise
    except UnicodeDecodeError:
        findings.error("not_utf8", f"{path.name} holds text that is not UTF-8")
        return nothing
    except Exception as error:  # the library raises whatever its own libraries raise on bytes that are no netCDF
        findings.error("file_damaged", f"{path.name} cannot be read as netCDF 4: {type(error).__name__}")
        return nothing


def _array(dataset: Dataset, path: Path, findings: Findings, max_bytes: int) -> DataArray | None:
    """The one array of a file; None, with an error, where there is not one or it would be too large."""
    arrays = [array for array in dataset.data_vars.values() if array.ndim >= 2]
    if len(arrays) != 1:
        names = ", ".join(shown(str(array.name)) for array in arrays) or "none"
        findings.error("not_an_assembly", f"{path.name} has to hold one array of two dimensions; it holds {names}")
        return None
    if sum(variable.nbytes for variable in dataset.variables.values()) > max_bytes:
        findings.error("file_too_large", f"{path.name} unpacks to more than {max_bytes:,} bytes")
        return None
    return arrays[0]


def _material(array: DataArray, path: Path, findings: Findings) -> Material:
    array = array.squeeze([dim for dim in array.dims if array.sizes[dim] == 1 and "time" in str(dim)])
    stimuli = _columns(array, PRESENTATION, path, findings)
    units = _columns(array, NEUROID, path, findings)
    if stimuli is None or units is None:
        return Material(stimuli=stimuli, units=units, responses=None)
    dims = array.coords[_found(array, PRESENTATION["stimulus_id"])].dims
    dims += array.coords[_found(array, NEUROID["unit_id"])].dims
    if set(dims) != set(array.dims):
        findings.error("not_a_table", f"{path.name} has the dimensions {', '.join(map(str, array.dims))}, not two")
        return Material(stimuli=stimuli, units=units, responses=None)
    values = as_responses(array.transpose(*dims).to_numpy(), path.name, findings)
    return Material(
        stimuli=stimuli, units=units, responses=None if values is None else Responses(values=values, file=path.name)
    )


def _columns(
    array: DataArray, sources: dict[str, tuple[str, ...]], path: Path, findings: Findings
) -> dict[str, tuple[str, ...]] | None:
    """The columns that coordinates of one dimension give; None, with an error for each that is missing."""
    found: dict[str, str] = {}
    for column, names in sources.items():
        name = _found(array, names)
        if name is not None:
            found[column] = name
        elif column not in OPTIONAL:
            there = ", ".join(sorted(str(coordinate) for coordinate in array.coords)) or "none"
            findings.error("coordinate_missing", f"{path.name} has no coordinate {' or '.join(names)}; it has {there}")
    if not {*sources} - OPTIONAL <= {*found}:
        return None
    if len({array.coords[name].dims for name in found.values()}) != 1:
        detail = f"{path.name}: the coordinates {', '.join(found.values())} do not lie on one dimension"
        findings.error("coordinates_disagree", detail)
        return None
    return {column: _texts(array.coords[name].to_numpy()) for column, name in found.items()}


def _found(array: DataArray, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in array.coords and array.coords[name].ndim == 1), None)


def _texts(values: np.ndarray[Any, Any]) -> tuple[str, ...]:
    """Cells as text: bytes as UTF-8, whole numbers without the point that a missing value gave them.

    What is not UTF-8 stays recognisable, for the linter to find.
    """
    return tuple(_text(value) for value in values.tolist())


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf8", errors="surrogateescape")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
