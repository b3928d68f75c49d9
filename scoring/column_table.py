"""Tables behind scores as columns of one length: what every kind of them can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any, ClassVar, Self

from .errors import NumericalFailure

Numbers = tuple[float | None, ...]
"""One number for each row, None where it is not known."""

MAX_COUNT = 2**53
"""No count is greater."""


@dataclass(frozen=True, kw_only=True)
class ColumnTable:
    """Columns of one length; `TYPES` has Arrow's types of them in order, `OF` says of what the rows are."""

    TYPES: ClassVar[Mapping[str, str]]
    OF: ClassVar[str]

    def __post_init__(self) -> None:
        if len({len(getattr(self, name)) for name in self.names()}) != 1:
            raise NumericalFailure(f"the columns of a table of {self.OF} are not of one length")
        for name, alias in self.TYPES.items():
            if alias == "float64" and not all(value is None or isfinite(value) for value in getattr(self, name)):
                raise NumericalFailure(f"a table of {self.OF} holds a number that is not finite")
            if alias == "int64" and not all(value is None or 0 <= value <= MAX_COUNT for value in getattr(self, name)):
                raise NumericalFailure(f"a table of {self.OF} holds a count that is none")

    def __len__(self) -> int:
        return len(getattr(self, self.names()[0]))

    def rows(self) -> Iterator[tuple[object, ...]]:
        """The rows one after the other, their values in the order of the columns."""
        return zip(*(getattr(self, name) for name in self.names()), strict=True)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of_columns(cls, columns: Mapping[str, tuple[Any, ...]]) -> Self:
        """The table of columns as a file has them."""
        return cls(**columns)
