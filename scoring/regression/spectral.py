"""Training sets decomposed one by one: generalised cross-validation, and least squares without a penalty.

What belongs here: what needs the eigenpairs of each training set. What does not: penalties chosen by leaving rows out
(`exact`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..types import FloatArray
from .exact import constant_shift
from .folds import Fold
from .targets import Targets


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingSet:
    """A fold's training rows decomposed: K_TT = Q Λ Qᵀ, centred on their mean, but for the constant direction.

    `projected` (n_test, n_train − 1) is K_xT Q less its mean over the test rows.
    """

    fold: Fold
    eigenvalues: torch.Tensor
    vectors: torch.Tensor
    projected: torch.Tensor

    @classmethod
    def of(cls, K: torch.Tensor, fold: Fold) -> TrainingSet:
        """The training set of a fold; K (n_rows, n_rows) lies on the device, the decomposition is the CPU's."""
        train, test = torch.from_numpy(fold.train).to(K.device), torch.from_numpy(fold.test).to(K.device)
        n, blocks = len(fold.train), K[:, train]
        inner, across = blocks[train], blocks[test]
        means = inner.mean(dim=0)
        inner = inner - means - means[:, None] + means.mean()
        values, vectors = torch.linalg.eigh((inner - constant_shift(float(inner.trace()), n)).cpu())
        values, vectors = values[1:].clamp(min=0.0).to(K.device), vectors[:, 1:].to(K.device)
        return cls(fold=fold, eigenvalues=values, vectors=vectors, projected=(across - across.mean(dim=0)) @ vectors)

    def map_at(self, penalty: float) -> torch.Tensor:
        """The matrix (n_test, n_rows) that takes responses to predictions of test rows, less their mean.

        At penalty 0 directions below n · eps · λ_max are left out, which gives the smallest coefficients.
        """
        if penalty == 0:
            smallest = len(self.vectors) * torch.finfo(torch.float64).eps * self.eigenvalues[-1]
            shrinking = torch.where(self.eigenvalues > smallest, 1 / self.eigenvalues, 0.0)
        else:
            shrinking = 1 / (self.eigenvalues + penalty)
        predicting = (self.projected * shrinking) @ self.vectors.T
        found = predicting.new_zeros(len(predicting), len(self.fold.train) + len(self.fold.test))
        found[:, torch.from_numpy(self.fold.train).to(found.device)] = predicting
        return found

    def generalised_errors(self, targets: Targets, penalties: FloatArray, *, is_double: bool = False) -> FloatArray:
        """Σ e² / (1 − tr(H) / n)² of the training rows, (n_penalties, n_units) (Golub, Heath & Wahba 1979).

        With z = Qᵀ y and w = α / (λ + α): Σ e² = Σ w² z² and n − tr(H) = Σ w.
        """
        dtype = torch.float64 if is_double else torch.float32
        tried = torch.from_numpy(penalties).to(self.eigenvalues)[:, None]
        left = tried / (self.eigenvalues + tried)
        weights = (left / left.mean(dim=1, keepdim=True)) ** 2
        rows = torch.from_numpy(self.fold.train).to(self.vectors.device)
        projecting = self.vectors.T.to(dtype).contiguous()
        found = np.empty((len(penalties), targets.Y.shape[1]))
        for chunk in targets.chunks:
            projections = projecting @ targets.columns(chunk, dtype)[rows]
            found[:, chunk] = (weights @ projections.double().square_()).cpu().numpy()
        return found
