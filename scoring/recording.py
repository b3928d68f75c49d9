"""A recording of brains: numbers, whose they are, which belong together, and how its rows relate to stimuli.

What belongs here: the shape of a recording, checked once. What does not: reading one from files (`datasets`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import DataMalformed
from .types import FloatArray, IndexArray

ResponseArray = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Units:
    """The columns of a recording: voxels, regions, electrodes, components.

    `regions` names where each lies and `coordinates` (n_units, 3) says it in space; None where that is not known.
    """

    ids: tuple[str, ...]
    participants: tuple[str, ...]
    regions: tuple[str, ...] | None = None
    coordinates: FloatArray | None = None

    def __post_init__(self) -> None:
        n_units = len(self.ids)
        if len(self.participants) != n_units or (self.regions is not None and len(self.regions) != n_units):
            raise DataMalformed(f"{n_units} units do not each have one participant and one region")
        if self.coordinates is not None and self.coordinates.shape != (n_units, 3):
            raise DataMalformed(f"coordinates of shape {self.coordinates.shape} are not three for each of {n_units}")
        if len(set(self.ids)) != n_units:
            raise DataMalformed("unit ids are not unique")

    @classmethod
    def numbered(cls, participants: Sequence[str]) -> Units:
        """Units without names of their own, one for each entry of `participants`."""
        ids = tuple(f"{participant}.{index}" for index, participant in enumerate(participants))
        return cls(ids=ids, participants=tuple(participants))


@dataclass(frozen=True, kw_only=True)
class Part:
    """A sub-experiment that is fitted by itself: its rows, and the units that have a value in every one of them.

    `n_incomplete_units` counts the units left out because some of these rows, not all, are without a value.
    """

    name: str
    rows: IndexArray
    units: IndexArray
    n_incomplete_units: int = 0


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """Rows that are moments of a course in time, not stimuli.

    `stimuli` holds for each moment the stimuli that it averages (none: a moment without any), `runs` the run or story
    that it belongs to; `rows` says which moments the recording has, in its order. Responses follow stimuli by
    `delays` moments (0: at once), which never reach over the border of a run. At the borders of runs `n_purged`
    moments are left out of training.
    """

    stimuli: tuple[IndexArray, ...]
    runs: tuple[str, ...]
    rows: IndexArray
    delays: tuple[int, ...] = (0,)
    n_purged: int = 0

    def __post_init__(self) -> None:
        if len(self.stimuli) != len(self.runs) or (len(self.rows) and self.rows.max() >= len(self.runs)):
            raise DataMalformed("a timeline's moments, runs and rows do not agree")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recording:
    """Responses of brains: `values` (n_rows, n_units). NaN where a participant did not take a part.

    Rows are stimuli, in their order, unless there is a `timeline`.
    """

    values: ResponseArray
    units: Units
    parts: tuple[Part, ...]
    timeline: Timeline | None = None

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or self.values.shape[1] != len(self.units.ids):
            raise DataMalformed(
                f"recording of shape {self.values.shape} does not have {len(self.units.ids)} units in its columns"
            )
        if not self.parts:
            raise DataMalformed("recording has no parts")
        for part in self.parts:
            if not len(part.units):
                raise DataMalformed(f"part {part.name} has no unit with a value in every row")
            if not np.isfinite(self.values[np.ix_(part.rows, part.units)]).all():
                raise DataMalformed(f"part {part.name} of the recording holds values that are not finite")

    @classmethod
    def of(
        cls,
        values: ResponseArray,
        units: Units,
        parts: Mapping[str, IndexArray] | None = None,
        *,
        timeline: Timeline | None = None,
    ) -> Recording:
        """The recording whose parts have these rows (None: one part of all rows) and every unit complete in them."""
        rows_of = {"all": np.arange(len(values))} if parts is None else parts
        found = tuple(_part(name, values, rows) for name, rows in rows_of.items())
        return cls(values=values, units=units, parts=found, timeline=timeline)

    def of_part(self, part: Part) -> ResponseArray:
        """The responses of a part: (its rows, its units)."""
        return np.asarray(self.values[np.ix_(part.rows, part.units)])

    def participants_of(self, part: Part) -> tuple[str, ...]:
        """Whose each unit of a part is."""
        return tuple(self.units.participants[unit] for unit in part.units)


def _part(name: str, values: ResponseArray, rows: IndexArray) -> Part:
    finite = np.isfinite(values[rows])
    complete = finite.all(axis=0)
    return Part(
        name=name,
        rows=rows,
        units=np.flatnonzero(complete),
        n_incomplete_units=int((finite.any(axis=0) & ~complete).sum()),
    )
