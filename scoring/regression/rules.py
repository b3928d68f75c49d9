"""How a map from features to responses is fitted, as data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ..types import FloatArray


class Method(StrEnum):
    """What is minimised."""

    RIDGE = "ridge"
    """Squared error and a penalty on the coefficients; the intercept is free."""
    LEAST_SQUARES = "least-squares"
    """Squared error; of all solutions the one with the smallest coefficients."""


class Selection(StrEnum):
    """What decides on a penalty, within the training rows of a fold."""

    NESTED_FOLDS = "nested-folds"
    """Each other fold is left out in turn; squared errors are summed over their rows."""
    INNER_FOLDS = "inner-folds"
    """Ten unshuffled blocks of the training rows; the share of unexplained variance is summed over the blocks."""
    LEAVE_ONE_OUT = "leave-one-out"
    """Each training row is left out in turn, exactly."""
    GENERALISED = "generalised"
    """Generalised cross-validation (Golub, Heath & Wahba 1979)."""
    NONE = "none"
    """Nothing is chosen."""


class Scope(StrEnum):
    """For whom one penalty is chosen."""

    UNIT = "unit"
    """Each unit has its own."""
    PARTICIPANT = "participant"
    """Units of a participant share one: the smallest mean of squared error over the training rows' variation."""
    ALL = "all"
    """All units share one: the smallest squared error summed over them."""


@dataclass(frozen=True, kw_only=True)
class PenaltyGrid:
    """Penalties 10**low … 10**high, evenly spaced in their logarithms; `relative` ones are multiples of trace(K)/n."""

    low: float
    high: float
    n_penalties: int
    is_relative: bool

    def penalties(self, K: FloatArray) -> FloatArray:
        """The grid in rising order for K (n, n), centred over all rows of a part: one for all of its folds."""
        scale = np.trace(K) / len(K) if self.is_relative else 1.0
        return np.asarray(np.logspace(self.low, self.high, self.n_penalties) * scale)


RELATIVE_GRID = PenaltyGrid(low=-4, high=5, n_penalties=20, is_relative=True)


@dataclass(frozen=True, kw_only=True)
class Regression:
    """One way to fit. `grid` is None for least squares, which has no penalty to choose."""

    method: Method
    grid: PenaltyGrid | None
    selection: Selection
    scope: Scope = Scope.UNIT


NESTED_RIDGE = Regression(method=Method.RIDGE, grid=RELATIVE_GRID, selection=Selection.NESTED_FOLDS)
LEAST_SQUARES = Regression(method=Method.LEAST_SQUARES, grid=None, selection=Selection.NONE)
