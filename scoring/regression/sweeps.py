"""Squared held-out errors of every penalty for every fold and unit.

Products with all units are taken in float32 where that leaves enough digits; where it does not tell two penalties of a
unit apart, both are tried again in float64. What belongs here: the sweeps over penalties. What does not: the matrices
that they multiply by (`exact`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import torch

from ..types import FloatArray, IndexArray
from .exact import Spectrum, down_date, inverse_of, pair_inverses
from .folds import Fold
from .parallel import Crew
from .targets import Targets

SINGLE_LOSS = 1e-3
"""Where float32's rounding could grow beyond this share of a residual, products are taken in float64."""

SUMMED_ROWS = 64
"""So many rows of squares are added up in float64, each of them a sum of few in the type of the products."""

TOO_CLOSE = 5e-7
"""Errors of two penalties that are closer than this share of them are told apart in float64."""


class Step(Protocol):
    """A sweep at one penalty."""

    def errors(self, units: slice | IndexArray) -> FloatArray:
        """Squared errors (n_folds, n_chosen) of some units."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Sweep:
    """What is left out by turns. `step_at(penalty, is_double)` prepares a penalty."""

    n_folds: int
    targets: Targets
    step_at: Callable[[float, bool], Step]
    crew: Crew

    def errors(
        self, penalties: FloatArray, *, is_double: bool, on_penalty: Callable[[], None] = lambda: None
    ) -> FloatArray:
        """Squared errors (n_folds, n_penalties, n_units) of scaled responses."""
        squared = np.empty((self.n_folds, len(penalties), self.targets.Y.shape[1]))
        for index, penalty in enumerate(penalties):
            step = self.step_at(penalty, is_double)
            for chunk, found in zip(self.targets.chunks, self.crew(step.errors, self.targets.chunks), strict=True):
                squared[:, index, chunk] = found
            on_penalty()
        return squared

    def tell_apart(self, squared: FloatArray, penalties: FloatArray) -> None:
        """Take errors again in float64, in place, where those of a unit's best penalties are too close."""
        close = squared <= squared.min(axis=1, keepdims=True) * (1 + TOO_CLOSE)
        contested = (close & (close.sum(axis=1, keepdims=True) > 1)).any(axis=0)
        for index in np.flatnonzero(contested.any(axis=1)):
            step = self.step_at(penalties[index], True)
            pieces = self.targets.pieces(np.flatnonzero(contested[index]))
            for units, found in zip(pieces, self.crew(step.errors, pieces), strict=True):
                squared[:, index, units] = found


def nested_sweep(spectrum: Spectrum, targets: Targets, spans: Sequence[slice], crew: Crew) -> Sweep:
    """For each fold the errors on the rows of all others, each predicted without its own rows and those of the fold.

    Rows stand in the order of folds, fold f in `spans[f]`.
    """

    def step_at(penalty: float, is_double: bool) -> _PairStep:
        G = spectrum.inverse(penalty)
        pairs = pair_inverses(G, spans, crew)
        largest = max(float(torch.linalg.matrix_norm(inverse)) for inverse in pairs.values())
        dtype = _precision(largest * spectrum.steepness(penalty), is_double=is_double)
        alone = [inverse_of(G[span, span]) for span in spans]
        typed = {
            (first, second): (
                inverse[: spans[first].stop - spans[first].start].to(dtype),
                (alone[second] @ G[spans[second], spans[first]]).to(dtype),
            )
            for (first, second), inverse in pairs.items()
        }
        return _PairStep(
            G=G.to(dtype), alone=[one.to(dtype) for one in alone], pairs=typed, spans=spans, targets=targets
        )

    return Sweep(n_folds=len(spans), targets=targets, step_at=step_at, crew=crew)


def left_out_sweep(spectrum: Spectrum, targets: Targets, folds: Sequence[Fold], crew: Crew) -> Sweep:
    """For each fold the errors on its training rows, each left out alone; these are all rows but the test rows."""

    def step_at(penalty: float, is_double: bool) -> _RowStep:
        G = spectrum.inverse(penalty)
        dates = list(crew(partial(down_date, G), folds))
        largest = max(float(scales.max()) for _, scales, _ in dates)
        dtype = _precision(largest * spectrum.steepness(penalty), is_double=is_double)
        typed = [(rows, scales.to(dtype)[:, None], taking.to(dtype)) for rows, scales, taking in dates]
        return _RowStep(G=G.to(dtype), dates=typed, targets=targets)

    return Sweep(n_folds=len(folds), targets=targets, step_at=step_at, crew=crew)


def _precision(growth: float, *, is_double: bool) -> torch.dtype:
    """float32 where rounding, which moves e by up to `growth` · ε relative to y, leaves enough digits; else float64."""
    return torch.float64 if is_double or growth * torch.finfo(torch.float32).eps > SINGLE_LOSS else torch.float32


@dataclass(frozen=True, kw_only=True, eq=False)
class _PairStep:
    """The nested sweep at one penalty.

    Without folds i and j the residuals of i are the first rows of (G_SS)⁻¹ g_S, S = i ∪ j, and those of j follow from
    what leaving out j alone gives: e_j = (G_jj)⁻¹ g_j − (G_jj)⁻¹ G_ji e_i. `alone` holds (G_jj)⁻¹, `pairs` those first
    rows and (G_jj)⁻¹ G_ji.
    """

    G: torch.Tensor
    alone: Sequence[torch.Tensor]
    pairs: dict[tuple[int, int], tuple[torch.Tensor, torch.Tensor]]
    spans: Sequence[slice]
    targets: Targets

    def errors(self, units: slice | IndexArray) -> FloatArray:
        """Squared errors of some units, (n_folds, n_chosen)."""
        g = self.G @ self.targets.columns(units, self.G.dtype)
        missed_alone = [inverse @ g[span] for inverse, span in zip(self.alone, self.spans, strict=True)]
        longest = max(map(len, missed_alone))
        sums = g.new_zeros(len(self.spans), longest, g.shape[1])
        residuals = g.new_empty(2, longest, g.shape[1])
        for (first, second), (rows, following) in self.pairs.items():
            n_second, n_first = following.shape
            missed_first, missed_second = residuals[0, :n_first], residuals[1, :n_second]
            torch.mm(rows[:, :n_first], g[self.spans[first]], out=missed_first)
            missed_first.addmm_(rows[:, n_first:], g[self.spans[second]])
            torch.addmm(missed_alone[second], following, missed_first, alpha=-1, out=missed_second)
            sums[second, :n_first].addcmul_(missed_first, missed_first)
            sums[first, :n_second].addcmul_(missed_second, missed_second)
        return np.asarray(sums.sum(dim=1, dtype=torch.float64).cpu().numpy())


@dataclass(frozen=True, kw_only=True, eq=False)
class _RowStep:
    """The sweep that leaves out single rows, at one penalty; `dates` as from `down_date`."""

    G: torch.Tensor
    dates: Sequence[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]
    targets: Targets

    def errors(self, units: slice | IndexArray) -> FloatArray:
        """Squared errors of some units, (n_folds, n_chosen)."""
        g = self.G @ self.targets.columns(units, self.G.dtype)
        missed, sums = torch.empty_like(g), g.new_zeros(len(self.dates), SUMMED_ROWS, g.shape[1])
        parts = torch.split(missed, SUMMED_ROWS)
        for index, (rows, scales, taking) in enumerate(self.dates):
            torch.mul(g, scales, out=missed)
            missed.addmm_(taking, g[rows], alpha=-1)
            for part in parts:
                sums[index, : part.shape[0]].addcmul_(part, part)
        return np.asarray(sums.sum(dim=1, dtype=torch.float64).cpu().numpy())
