"""Results as pandas frames: wide, a row a result, and long, a row a number. pandas is loaded when one is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from .base import Result
from .errors import PackageMissing

if TYPE_CHECKING:
    import pandas as pd

One = TypeVar("One", bound=Result, covariant=True)

Row = Mapping[str, Any]


class Listed(tuple[One, ...]):
    """Results in the order of the server: a tuple that also knows how to be a table."""

    __slots__ = ()

    def frame(self) -> pd.DataFrame:
        """A pandas frame, a row a result. Raises PackageMissing."""
        return frame(self)

    def long(self) -> pd.DataFrame:
        """A pandas frame, a row a number of each result. Raises PackageMissing."""
        return long(self)


def frame(results: Iterable[Result]) -> pd.DataFrame:
    """Results of one kind as a pandas frame, a row a result. Raises PackageMissing."""
    return from_rows([result.wide_row() for result in results])


def long(results: Iterable[Result]) -> pd.DataFrame:
    """The same with a row a number: a run of a job, a benchmark of a pair, a part of a layer. Raises PackageMissing."""
    return from_rows([row for result in results for row in result.long_rows()])


def from_rows(rows: Sequence[Row], columns: Sequence[str] = ()) -> pd.DataFrame:
    """A frame of rows; without `columns` their names in the order of their first appearance.

    Whole numbers stay whole where some are missing, as pandas' `Int64`; other missing values are NaN.
    """
    pandas = _pandas()
    names = list(columns) or list(dict.fromkeys(name for row in rows for name in row))
    return pandas.DataFrame({name: _column(pandas, [row.get(name) for row in rows]) for name in names})


def _column(pandas: Any, values: list[Any]) -> Any:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return pandas.array(values, dtype="Int64" if len(known) < len(values) else "int64")
    return pandas.Series(values, dtype=None if known else "float64")


def _pandas() -> Any:
    try:
        import pandas
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise PackageMissing("a frame", "pandas", extra="notebook") from None
    return pandas
