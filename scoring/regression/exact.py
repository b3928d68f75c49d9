"""One decomposition of the whole Gram matrix for every fold, pair of folds and row beside a fold.

With K centred over all rows and (λ, U) its eigenpairs but for the constant one, G = U (λ + α)⁻¹ Uᵀ. A ridge with a free
intercept that is fitted without the rows I misses them by e_I = (G_II)⁻¹ (G y)_I and, as G_II y_I drops out, predicts
them as −(G_II)⁻¹ G_IT y_T from the others. What belongs here: matrices that follow from K alone. What does not:
responses (`sweeps`, `judging`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import torch

from ..types import FloatArray
from .folds import Fold
from .parallel import Crew

WIDEST = 1e10
"""Above this ratio of the largest eigenvalue to the smallest penalty the identity loses more digits than a solver."""


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
        """G (n_rows, n_rows) for one penalty."""
        return (self.vectors / (self.eigenvalues + penalty)) @ self.vectors.T

    def steepness(self, penalty: float) -> float:
        """The largest eigenvalue of G at this penalty."""
        return 1 / (float(self.eigenvalues[0]) + penalty)


def constant_shift(trace: float, n_rows: int) -> float:
    """What to take off every number of a centred matrix so that the constant direction has the eigenvalue −trace/n."""
    return (trace / n_rows if trace > 0 else 1.0) / n_rows


def is_too_wide(K: FloatArray, penalties: FloatArray) -> bool:
    """Whether the penalties reach so far below the largest eigenvalue of K that the identity loses too many digits."""
    return float(np.linalg.norm(K)) > WIDEST * float(penalties[0])


def pair_inverses(G: torch.Tensor, spans: Sequence[slice], crew: Crew) -> dict[tuple[int, int], torch.Tensor]:
    """(G_SS)⁻¹ for the rows S of every two folds."""

    def inverse(pair: tuple[int, int]) -> torch.Tensor:
        first, second = spans[pair[0]], spans[pair[1]]
        cross = G[first, second]
        whole = torch.cat([torch.cat([G[first, first], cross], dim=1), torch.cat([cross.T, G[second, second]], dim=1)])
        return inverse_of(whole)

    pairs = list(combinations(range(len(spans)), 2))
    return dict(zip(pairs, crew(inverse, pairs), strict=True))


def inverse_of(block: torch.Tensor) -> torch.Tensor:
    """The inverse of a symmetric, positive definite block of G."""
    return torch.cholesky_inverse(torch.linalg.cholesky(block))


def nested_map(
    G: torch.Tensor, pairs: dict[tuple[int, int], torch.Tensor], spans: Sequence[slice], fold: int
) -> torch.Tensor:
    """The matrix (n_rows, n_rows) that takes responses to predictions without a fold, less their mean in each block.

    Rows of the fold itself are predicted from all others; rows of another from those that are in neither.
    """
    own, found = spans[fold], torch.empty_like(G)
    for other, span in enumerate(spans):
        if other == fold:
            predicting = -inverse_of(G[own, own]) @ G[own]
        else:
            inverse = pairs[min(fold, other), max(fold, other)]
            start = 0 if other < fold else own.stop - own.start
            rows = inverse[start : start + span.stop - span.start]
            low, high = spans[min(fold, other)], spans[max(fold, other)]
            n_low = low.stop - low.start
            predicting = -rows[:, :n_low] @ G[low] - rows[:, n_low:] @ G[high]
            predicting[:, span] = 0.0
        predicting[:, own] = 0.0
        found[span] = predicting - predicting.mean(dim=0)
    return found


def down_date(G: torch.Tensor, fold: Fold) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Test rows I, scales s (n_rows,) and A (n_rows, n_test) with e = s · g − A g_I for all rows; both 0 for I."""
    rows = torch.from_numpy(fold.test).to(G.device)
    across = G[:, rows]
    taking = across @ inverse_of(across[rows])
    scales = 1 / (torch.diagonal(G) - (taking * across).sum(dim=1))
    scales[rows] = 0.0
    return rows, scales, taking * scales[:, None]


def fold_map(G: torch.Tensor, fold: Fold) -> torch.Tensor:
    """The matrix (n_test, n_rows) that takes responses to predictions of test rows, less their mean."""
    rows = torch.from_numpy(fold.test).to(G.device)
    predicting = -inverse_of(G[rows][:, rows]) @ G[rows]
    predicting[:, rows] = 0.0
    return predicting - predicting.mean(dim=0)
