"""One decomposition of the whole Gram matrix for every fold, pair of folds and row beside a fold.

With K centred over all rows and (λ, U) its eigenpairs but for the constant one, G = U (λ + α)⁻¹ Uᵀ. A ridge with a free
intercept that is fitted without the rows I misses them by e_I = (G_II)⁻¹ (G y)_I and, as G_II y_I drops out, predicts
them as −(G_II)⁻¹ G_IT y_T from the others. What belongs here: matrices that follow from K alone. What does not:
responses (`sweeps`, `judging`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np
import torch

from ..types import FloatArray
from .folds import Fold

WIDEST = 1e10
"""Above this ratio of the largest eigenvalue to the smallest penalty the identity loses more digits than a solver."""

BAND = 96
"""Rows of a symmetric product that are made at one time, up to the diagonal."""

Rows = slice | torch.Tensor
"""Rows of a matrix: neighbours, or by their numbers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Spectrum:
    """Eigenvalues (n_rows − 1,) in rising order and vectors (n_rows, n_rows − 1) of a centred K, the constant one left
    out; negative eigenvalues, which rounding makes, are 0."""

    eigenvalues: torch.Tensor
    vectors: torch.Tensor

    @classmethod
    def of(cls, K: FloatArray, device: torch.device) -> Spectrum:
        """The spectrum of K (n_rows, n_rows), centred on the mean of its rows; decomposed on the CPU.

        The constant direction is moved to the eigenvalue −trace/n, where no other is near: else vectors of
        eigenvalues that are 0 as well could mix with it.
        """
        values, vectors = torch.linalg.eigh(torch.from_numpy(K - constant_shift(float(np.trace(K)), len(K))))
        return cls(eigenvalues=values[1:].clamp(min=0.0).to(device), vectors=vectors[:, 1:].contiguous().to(device))

    def inverse(self, penalty: float) -> torch.Tensor:
        """G (n_rows, n_rows) for one penalty; what lies right of a band of rows is copied from below it."""
        weighted, n_rows = self.vectors / (self.eigenvalues + penalty), len(self.vectors)
        found = weighted.new_empty(n_rows, n_rows)
        for start in range(0, n_rows, BAND):
            band, before = slice(start, min(start + BAND, n_rows)), slice(0, start)
            torch.mm(weighted[band], self.vectors[: band.stop].T, out=found[band, : band.stop])
            found[before, band] = found[band, before].T
        return found

    def steepness(self, penalty: float) -> float:
        """The largest eigenvalue of G at this penalty."""
        return 1 / (float(self.eigenvalues[0]) + penalty)


def constant_shift(trace: float, n_rows: int) -> float:
    """What to take off every number of a centred matrix so that the constant direction has the eigenvalue −trace/n."""
    return (trace / n_rows if trace > 0 else 1.0) / n_rows


def is_too_wide(K: FloatArray, penalties: FloatArray) -> bool:
    """Whether the penalties reach so far below the largest eigenvalue of K that the identity loses too many digits."""
    return float(np.linalg.norm(K)) > WIDEST * float(penalties[0])


@dataclass(frozen=True, kw_only=True, eq=False)
class Pairs:
    """What residuals become when folds i and j are left out together instead of each alone, for pairs of one shape.

    e_i' = T e_i + N e_j and e_j' = e_j − F e_i', with F = (G_jj)⁻¹ G_ji, S = G_ii − G_ij F, N = −S⁻¹ G_ij and
    T = S⁻¹ G_ii = I − N F. For each of `folds` (i, j) `own` holds T (n_i, n_i), `across` N (n_i, n_j) and `following`
    F (n_j, n_i).
    """

    folds: Sequence[tuple[int, int]]
    own: torch.Tensor
    across: torch.Tensor
    following: torch.Tensor

    @classmethod
    def of(
        cls, G: torch.Tensor, alone: torch.Tensor, spans: Sequence[slice], folds: Sequence[tuple[int, int]]
    ) -> Pairs:
        """From G and what leaves out each fold alone."""
        first = torch.stack([G[spans[i], spans[i]] for i, _ in folds])
        across = torch.stack([G[spans[i], spans[j]] for i, j in folds])
        following = torch.stack([alone[spans[j], spans[i]] for i, j in folds])
        N = -(inverse_of(first - across @ following) @ across)
        return cls(folds=folds, own=_identity_less(N @ following), across=N, following=following)

    def to(self, dtype: torch.dtype) -> Pairs:
        """The same in another type."""
        own, across, following = (one.to(dtype) for one in (self.own, self.across, self.following))
        return Pairs(folds=self.folds, own=own, across=across, following=following)

    def __iter__(self) -> Iterator[tuple[tuple[int, int], tuple[torch.Tensor, torch.Tensor, torch.Tensor]]]:
        """Each pair of folds with its T, N and F."""
        matrices = zip(self.own.unbind(), self.across.unbind(), self.following.unbind(), strict=True)
        return zip(self.folds, matrices, strict=True)

    def growth(self) -> float:
        """By how much the residuals of either fold may be larger when both are left out, at most."""
        second = _identity_less(self.following @ self.across), self.following @ self.own
        halves = ((self.own, self.across), second)
        return max(
            float(torch.hypot(*(torch.linalg.vector_norm(one, dim=(1, 2)) for one in half)).max()) for half in halves
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class FoldResiduals:
    """What takes responses to residuals of folds that are left out, at one penalty; fold f stands in rows `spans[f]`.

    `alone` (n_rows, n_rows) leaves out each fold alone, (G_ff)⁻¹ G_f in its rows; `pairs` then two together.
    """

    spans: Sequence[slice]
    alone: torch.Tensor
    pairs: Sequence[Pairs]

    @classmethod
    def of(cls, G: torch.Tensor, spans: Sequence[slice]) -> FoldResiduals:
        """The residuals of every fold and every two."""
        alone = torch.cat([inverse_of(G[span, span]) @ G[span] for span in spans])
        sizes = [span.stop - span.start for span in spans]
        of_size: dict[tuple[int, int], list[tuple[int, int]]] = {}
        for i, j in combinations(range(len(spans)), 2):
            of_size.setdefault((sizes[i], sizes[j]), []).append((i, j))
        return cls(spans=spans, alone=alone, pairs=[Pairs.of(G, alone, spans, folds) for folds in of_size.values()])

    def to(self, dtype: torch.dtype) -> FoldResiduals:
        """The same in another type."""
        pairs = [of_size.to(dtype) for of_size in self.pairs]
        return FoldResiduals(spans=self.spans, alone=self.alone.to(dtype), pairs=pairs)

    def growth(self) -> float:
        """By how much residuals may be larger than responses."""
        largest = max(of_size.growth() for of_size in self.pairs)
        return largest * float(torch.linalg.vector_norm(self.alone, dim=1).max())

    def nested_map(self, fold: int) -> torch.Tensor:
        """The matrix (n_rows, n_rows) from responses to predictions without a fold, less their mean in each block.

        Rows of the fold itself are predicted from all others; rows of another from those that are in neither.
        """
        own, found = self.spans[fold], torch.empty_like(self.alone)
        found[own] = _mean_less(self.alone[own])
        for (first, second), (T, N, F) in chain.from_iterable(self.pairs):
            if fold == second:
                span, of_other, of_own = self.spans[first], T, N
            elif fold == first:
                span, of_other, of_own = self.spans[second], _identity_less(F @ N), -(F @ T)
            else:
                continue
            predicting = found[span]
            torch.mm(_mean_less(of_other), self.alone[span], out=predicting)
            predicting.addmm_(_mean_less(of_own), self.alone[own])
            predicting[:, span] = 0.0
        found[:, own] = 0.0
        return found


def _identity_less(matrices: torch.Tensor) -> torch.Tensor:
    found = -matrices
    found.diagonal(dim1=-2, dim2=-1).add_(1.0)
    return found


def inverse_of(block: torch.Tensor) -> torch.Tensor:
    """The inverse of a symmetric, positive definite block of G, or of each of several."""
    return torch.cholesky_inverse(torch.linalg.cholesky(block))


def _mean_less(rows: torch.Tensor) -> torch.Tensor:
    """The mean of the rows less each of them."""
    return rows.mean(dim=0) - rows


def fold_map(G: torch.Tensor, rows: Rows) -> torch.Tensor:
    """The matrix (n_test, n_rows) that takes responses to predictions of test rows, less their mean."""
    across = G[rows]
    predicting = _mean_less(inverse_of(across[:, rows])) @ across
    predicting[:, rows] = 0.0
    return predicting


def down_date(G: torch.Tensor, fold: Fold) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Test rows I, scales s (n_rows,) and A (n_rows, n_test) with e = s · g − A g_I for all rows; both 0 for I."""
    rows = torch.from_numpy(fold.test).to(G.device)
    across = G[:, rows]
    taking = across @ inverse_of(across[rows])
    scales = 1 / (torch.diagonal(G) - (taking * across).sum(dim=1))
    scales[rows] = 0.0
    return rows, scales, taking * scales[:, None]
