"""Linear centred kernel alignment: how alike two systems see the same stimuli, from inner products of their rows."""

from __future__ import annotations

import numpy as np

from ..errors import NumericalFailure
from ..regression.gram import centred
from ..types import FloatArray


def cka(K: FloatArray, L: FloatArray) -> float:
    """⟨HKH, HLH⟩ / (‖HKH‖ ‖HLH‖) for K = X Xᵀ and L = Y Yᵀ, (n, n) each, H = I − 11ᵀ/n (Kornblith et al. 2019).

    Between 0 and 1, and far above 0 for noise of many features. NaN where a system does not vary.
    """
    return float(aligned(K) @ aligned(L))


def cka_debiased(K: FloatArray, L: FloatArray) -> float:
    """HSIC₁(K, L) / √(HSIC₁(K, K) HSIC₁(L, L)), with the unbiased estimator of Song et al. (2012, eq. 4).

    About 0 for noise of any number of features, and may be below. NaN where a system does not vary. Raises
    NumericalFailure below four rows.
    """
    return float(aligned_debiased(K) @ aligned_debiased(L))


def aligned(K: FloatArray) -> FloatArray:
    """HKH as a vector (n²,) of length 1; products of two of them are `cka`. NaN where the rows do not vary."""
    return _unit(centred(K), np.trace(K))


def aligned_debiased(K: FloatArray) -> FloatArray:
    """The U-centred matrix as a vector (n²,) of length 1; products of two of them are `cka_debiased`.

    With k the matrix without its diagonal: k_ij − Σ_l k_il / (n − 2) − Σ_l k_lj / (n − 2) + Σ k / ((n − 1)(n − 2)) off
    the diagonal, 0 on it. ⟨·, ·⟩ / (n (n − 3)) of two such matrices is HSIC₁ (Székely & Rizzo 2014).
    """
    n = len(K)
    if n < 4:
        raise NumericalFailure(f"debiased alignment needs four rows, not {n}")
    shifted = centred(K)  # a change of origin leaves the result as it is, and small numbers keep their digits
    np.fill_diagonal(shifted, 0.0)
    sums = shifted.sum(axis=0)
    found = shifted - (sums + sums[:, None]) / (n - 2) + sums.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(found, 0.0)
    return _unit(found, np.trace(K))


def _unit(matrix: FloatArray, scale: float) -> FloatArray:
    length = np.linalg.norm(matrix)
    is_rounding = length <= len(matrix) * np.finfo(np.float64).eps * abs(scale)
    return np.asarray(matrix.ravel() / (np.nan if is_rounding else length))
