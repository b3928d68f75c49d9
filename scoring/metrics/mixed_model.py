"""A linear mixed model of readers: maximum likelihood and the likelihood of new readings, from sums over each reader.

For reader r with n_r readings, X_r (n_r, n_columns) and Z_r some columns of X_r:

    y_r = X_r β + Z_r b_r + e_r,  b_r ~ N(0, σ² Λ),  e_r ~ N(0, σ² I),  so  V_r = σ² (I + Z_r Λ Z_r').

V_r is never built. With C_r = Z_r'Z_r (Woodbury; the matrix determinant lemma)

    (I + Z Λ Z')⁻¹ = I − Z K Z',  K = Λ (I + C Λ)⁻¹,  |I + Z Λ Z'| = |I + C Λ|,

so that X'X, X'y and y'y of each reader are enough. What belongs here: the model. What does not: what is read or known.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, minimize

from ..errors import NumericalFailure
from ..types import FloatArray

RELATIVE_RANK = 1e-12
"""Directions of X'V⁻¹X below this share of the largest have the coefficient 0: their columns repeat others."""

START = (0.5, 0.1)
"""Standard deviations of intercepts and slopes between readers, in residual ones, from which the search begins."""

BOUNDS = (-10.0, 5.0)
"""Natural logarithms of the smallest and the largest such deviation; at the smallest readers do not differ at all."""

GRADIENT_SOUGHT, GRADIENT_ALLOWED = 1e-5, 1e-3
"""Steepest gradient of the deviance by reader at which the search ends, and at which it counts as converged.

The deviance of a million readings is known to some 1e-9; the smaller gradient is sometimes below what that resolves.
The larger one moves a log-likelihood held out by less than 1e-6 nats a reading.
"""


@dataclass(frozen=True, kw_only=True, eq=False)
class ReaderSums:
    """Sums over readings, with the readers on the axis before the named ones; a reader without any has zeros.

    `XX` is X'X (…, n_readers, n_columns, n_columns), the first column of X being 1; `Xy` is X'y
    (…, n_readers, n_columns) and `yy` is y'y (…, n_readers).
    """

    XX: FloatArray
    Xy: FloatArray
    yy: FloatArray

    @property
    def counts(self) -> FloatArray:
        """How many readings each reader has, (…, n_readers)."""
        return self.XX[..., 0, 0]

    def at(self, index: int) -> ReaderSums:
        """The sums at an index of the first axis."""
        return ReaderSums(XX=self.XX[index], Xy=self.Xy[index], yy=self.yy[index])

    def without(self, index: int) -> ReaderSums:
        """The sums over all of the first axis but one, added up anew, because differences would lose digits."""
        others = np.arange(len(self.yy)) != index
        return ReaderSums(
            XX=self.XX[others].sum(axis=0), Xy=self.Xy[others].sum(axis=0), yy=self.yy[others].sum(axis=0)
        )

    def first_columns(self, n_columns: int) -> ReaderSums:
        """The sums for the model with the first columns alone."""
        return ReaderSums(XX=self.XX[..., :n_columns, :n_columns], Xy=self.Xy[..., :n_columns], yy=self.yy)

    def transformed(self, T: FloatArray) -> ReaderSums:
        """The sums for X T, T (n_columns, n_columns)."""
        return ReaderSums(XX=T.T @ self.XX @ T, Xy=self.Xy @ T, yy=self.yy)

    def standardising(self) -> FloatArray:
        """T that gives the columns of X T after the first mean 0 and variance 1 over all readings; constant ones 0."""
        total = self.XX.sum(axis=0)
        mean, square = total[0] / total[0, 0], np.diag(total) / total[0, 0]
        variance = square - mean**2
        T = np.diag(1 / np.sqrt(np.where(variance > RELATIVE_RANK * square, variance, 1.0)))
        T[0] = -mean * np.diag(T)
        T[0, 0] = 1.0
        return T


@dataclass(frozen=True, kw_only=True, eq=False)
class MixedModel:
    """A fitted model: β (n_columns,), the columns of X that are Z, L with Λ = LL', σ², and its −2 log-likelihood."""

    coefficients: FloatArray
    random: tuple[int, ...]
    factor: FloatArray
    variance: float
    deviance: float


def fit(sums: ReaderSums, random: tuple[int, ...]) -> MixedModel:
    """Maximum likelihood: β and σ² follow from Λ in closed form, Λ from a search over L with logarithmic diagonal.

    `random` names the one or two columns of X whose effect differs between readers. The search is L-BFGS-B with the
    exact gradient. Raises NumericalFailure where it does not converge or nothing is left to explain.
    """
    n_readers = max(int((sums.counts > 0).sum()), 1)

    def by_reader(parameters: FloatArray) -> tuple[float, FloatArray]:
        model, gradient = _profiled(sums, random, _factor(parameters))
        return model.deviance / n_readers, gradient / n_readers

    first, *second = np.log(START[: len(random)])
    start = np.array([first, *(value for slope in second for value in (0.0, slope))])
    lowest, highest = np.array([BOUNDS, *([(-np.inf, np.inf), BOUNDS] if second else [])]).T
    found = minimize(
        by_reader,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(lowest, highest),
        options={"ftol": 0.0, "gtol": GRADIENT_SOUGHT},
    )
    inside = (found.x > lowest) & (found.x < highest)
    if np.abs(found.jac[inside]).max(initial=0.0) > GRADIENT_ALLOWED:
        raise NumericalFailure(f"the mixed model of reading times did not converge: {found.message}")
    return _profiled(sums, random, _factor(found.x))[0]


def log_likelihoods(model: MixedModel, sums: ReaderSums) -> FloatArray:
    """Log-likelihood of each reader's readings, what is particular to the reader integrated out: (n_readers,), nats."""
    _, K, log_determinant = _by_reader(sums, model.random, model.factor)
    u, squares = _residuals(sums, model.random, model.coefficients)
    distance = squares - np.einsum("ri,rij,rj->r", u, K, u)
    constant = sums.counts * np.log(2 * np.pi * model.variance)
    return np.asarray(-0.5 * (constant + log_determinant + distance / model.variance))


def _profiled(sums: ReaderSums, random: tuple[int, ...], factor: FloatArray) -> tuple[MixedModel, FloatArray]:
    """The best model with this L, and the gradient of its deviance in the parameters of `_factor`.

    With W = (I + CΛ)⁻¹ and u = Z'(y − Xβ): ∂ deviance / ∂Λ = Σ WC − Σ (Wu)(Wu)' / σ², and ∂/∂L is twice that times L.
    """
    W, K, log_determinant = _by_reader(sums, random, factor)
    chosen = list(random)
    XZ, Zy = sums.XX[:, :, chosen], sums.Xy[:, chosen]
    XZK = XZ @ K
    G = sums.XX.sum(axis=0) - np.tensordot(XZK, XZ, axes=((0, 2), (0, 2)))
    g = sums.Xy.sum(axis=0) - np.tensordot(XZK, Zy, axes=((0, 2), (0, 1)))
    coefficients = np.linalg.lstsq(G, g, rcond=RELATIVE_RANK)[0]
    u, squares = _residuals(sums, random, coefficients)
    n_readings = sums.counts.sum()
    variance = float((squares.sum() - np.einsum("ri,rij,rj->", u, K, u)) / n_readings)
    if not variance > 0:
        raise NumericalFailure("the mixed model of reading times leaves no residual: its predictors repeat the times")
    Wu = np.einsum("rij,rj->ri", W, u)
    slope = (W @ sums.XX[:, chosen][:, :, chosen]).sum(axis=0) - Wu.T @ Wu / variance
    in_factor = 2 * slope @ factor
    in_factor[np.diag_indices(len(factor))] *= np.diag(factor)
    model = MixedModel(
        coefficients=coefficients,
        random=random,
        factor=factor,
        variance=variance,
        deviance=float(n_readings * (np.log(2 * np.pi * variance) + 1) + log_determinant.sum()),
    )
    return model, in_factor[np.tril_indices(len(factor))]


def _by_reader(
    sums: ReaderSums, random: tuple[int, ...], factor: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """W = (I + CΛ)⁻¹ and K = ΛW, (n_readers, n_random, n_random) each, and log |I + CΛ|, (n_readers,)."""
    scale, chosen = factor @ factor.T, list(random)
    inner = np.eye(len(factor)) + sums.XX[:, chosen][:, :, chosen] @ scale
    W = np.asarray(np.linalg.inv(inner))
    return W, np.asarray(scale @ W), np.asarray(np.linalg.slogdet(inner)[1])


def _residuals(sums: ReaderSums, random: tuple[int, ...], coefficients: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Z'(y − Xβ), (n_readers, n_random), and the sum of squares of y − Xβ, (n_readers,)."""
    remaining = sums.Xy - sums.XX @ coefficients
    return remaining[:, list(random)], sums.yy - (sums.Xy + remaining) @ coefficients


def _factor(parameters: FloatArray) -> FloatArray:
    """L of one parameter, its logarithm, or of three: log L₁₁, L₂₁, log L₂₂."""
    if len(parameters) == 1:
        return np.exp(parameters)[:, None]
    return np.array([[np.exp(parameters[0]), 0.0], [parameters[1], np.exp(parameters[2])]])
