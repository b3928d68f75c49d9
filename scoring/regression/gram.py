"""The inner products of a layer's rows: all that fits, penalties and row correlations need of its features.

What belongs here: making a Gram matrix and asking it. What does not: fitting (`direct`, `encode`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NumericalFailure
from ..types import FeatureArray, FloatArray, IndexArray

CHUNK = 4096
"""Columns of features that are taken to float64 at one time."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Gram:
    """K = X_c X_cᵀ of one layer, (n_stimuli, n_stimuli) float64; X_c is X less the mean μ of its rows.

    The shift by μ keeps digits and changes no fit, because each fit centres K again on its training rows. `row_sums`
    is X·1 and `row_projections` X·μ, both (n,), and `squared_mean` |μ|²: with them the inner products of X itself
    follow. `distinct` (n,) labels rows; those with exactly equal features (equal sha256) share a label, which
    rounding hides in K.
    """

    K: FloatArray
    row_sums: FloatArray
    row_projections: FloatArray
    squared_mean: float
    distinct: IndexArray
    n_features: int

    def __post_init__(self) -> None:
        n = len(self.K)
        if self.K.shape != (n, n) or not {self.row_sums.shape, self.row_projections.shape, self.distinct.shape} == {
            (n,)
        }:
            raise NumericalFailure(f"a Gram matrix of shape {self.K.shape} does not fit its sums and labels")
        if not all(np.isfinite(array).all() for array in (self.K, self.row_sums, self.row_projections)):
            raise NumericalFailure("a Gram matrix is not finite")

    def __len__(self) -> int:
        return len(self.K)

    @classmethod
    def of(cls, features: FeatureArray, *, chunk: int = CHUNK) -> Gram:
        """The Gram matrix of features (n, n_features), `chunk` columns at a time: no float64 copy of all is made."""
        n, hashes = len(features), [hashlib.sha256() for _ in features]
        K, row_sums, row_projections, squared_mean = np.zeros((n, n)), np.zeros(n), np.zeros(n), 0.0
        for start in range(0, features.shape[1], chunk):
            block = features[:, start : start + chunk].astype(np.float64, order="C") + 0.0  # −0 becomes 0
            for row_hash, row in zip(hashes, block, strict=True):
                row_hash.update(row)
            mean = block.mean(axis=0)
            row_sums += block.sum(axis=1)
            row_projections += block @ mean
            squared_mean += float(mean @ mean)
            block -= mean
            K += block @ block.T
        return cls(
            K=K,
            row_sums=row_sums,
            row_projections=row_projections,
            squared_mean=squared_mean,
            distinct=_labels([row_hash.digest() for row_hash in hashes]),
            n_features=features.shape[1],
        )

    def part(self, rows: IndexArray) -> FloatArray:
        """K over these rows, centred on their mean instead: (len(rows), len(rows))."""
        return centred(self.K[np.ix_(rows, rows)])

    def is_constant(self, rows: IndexArray) -> bool:
        """Whether every feature is the same number in all of these rows, so that nothing can be fitted."""
        return bool((self.distinct[rows] == self.distinct[rows[0]]).all())

    def row_correlations(self) -> FloatArray:
        """Pearson r between the features of every two rows, (n, n); NaN where a row's features are all equal.

        With ⟨x, y⟩ = K + X·μ + (X·μ)ᵀ − |μ|² and s = X·1, the covariance is ⟨x, y⟩ / d − s sᵀ / d².
        """
        inner = self.K + self.row_projections + self.row_projections[:, None] - self.squared_mean
        means = self.row_sums / self.n_features
        covariance = inner / self.n_features - np.outer(means, means)
        variances = np.diagonal(covariance)
        rounding = 8 * np.finfo(np.float64).eps * np.diagonal(inner) / self.n_features
        deviations = np.sqrt(np.where(variances > rounding, variances, np.nan))
        return np.asarray(covariance / np.outer(deviations, deviations))


def centred(K: FloatArray) -> FloatArray:
    """Inner products (n, n) of rows less their mean."""
    means = K.mean(axis=0)
    return np.asarray(K - means - means[:, None] + means.mean())


def as_gram(layer: FeatureArray | Gram) -> Gram:
    """The layer's Gram matrix, made from its features where those are what is there."""
    return layer if isinstance(layer, Gram) else Gram.of(layer)


def gram_bytes(n_stimuli: int) -> int:
    """Bytes that the arrays of a Gram matrix of so many stimuli take."""
    return 8 * n_stimuli * (n_stimuli + 3)


def _labels(digests: Sequence[bytes]) -> IndexArray:
    """Numbers in order of first appearance, equal where digests are."""
    label_of: dict[bytes, int] = {}
    return np.array([label_of.setdefault(digest, len(label_of)) for digest in digests], dtype=np.intp)
