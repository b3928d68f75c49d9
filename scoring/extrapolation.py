"""The curve that scores follow as participants are added, fitted to many units at once.

What belongs here: fitting curves. What does not: where the scores come from (`ceilings`).
"""

from __future__ import annotations

import numpy as np

from .types import FloatArray

UPPER_BOUND = 1.0
"""No correlation goes beyond it; the published method has the same bounds, 0 and 1, for the plateau."""

LOG_TIMES = np.log(np.logspace(-1.5, 5, 66))
"""Where the search for τ starts: ten values a decade. Below, a curve is flat from x = 2 on; above, a straight line."""

CHUNK = 32768
"""Curves that are fitted at one time."""

MAX_STEPS = 60
TOLERANCE = 1e-11


def saturation(x: FloatArray | float, v0: FloatArray, tau: FloatArray) -> FloatArray:
    """v(x) = v0 (1 − exp(−x/τ)), with broadcasting."""
    return np.asarray(v0 * (1 - np.exp(-x / tau)))


def fit_saturation(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The v0 and τ, (n_curves,) each, of v(x) = v0 (1 − exp(−x/τ)) with the smallest squared error.

    x (n_x,) is above 0; y is (n_x, n_curves). 0 ≤ v0 ≤ 1, 0 < τ; both NaN for a curve with a NaN in it. For a given τ
    the best v0 is Σ y g / Σ g², g = 1 − exp(−x/τ), taken to the nearest bound; what is left is a search in log τ alone
    (variable projection: Golub & Pereyra 1973), on a grid first, then for the zero of the slope.
    """
    v0, tau = np.full(y.shape[1], np.nan), np.full(y.shape[1], np.nan)
    complete = np.flatnonzero(~np.isnan(y).any(axis=0))
    for start in range(0, len(complete), CHUNK):
        own = complete[start : start + CHUNK]
        log_tau = _search(x, y[:, own])
        v0[own], tau[own] = _best_height(x, y[:, own], log_tau), np.exp(log_tau)
    return v0, tau


def _search(x: FloatArray, y: FloatArray) -> FloatArray:
    """The best log τ of each curve, (n_curves,)."""
    g = 1 - np.exp(-x[:, None] / np.exp(LOG_TIMES))
    products, squares = y.T @ g, (g**2).sum(axis=0)
    heights = np.clip(products / squares, 0, UPPER_BOUND)
    best = np.argmin(heights * (heights * squares - 2 * products), axis=1)
    low, high = LOG_TIMES[np.maximum(best - 1, 0)], LOG_TIMES[np.minimum(best + 1, len(LOG_TIMES) - 1)]
    return _zero_of_slope(x, y, low, high, LOG_TIMES[best])


def _zero_of_slope(x: FloatArray, y: FloatArray, low: FloatArray, high: FloatArray, start: FloatArray) -> FloatArray:
    """Where the slope of the squared error changes its sign between `low` and `high`, by false position.

    An end that stays for a second time has its slope halved (Illinois), so that both close in. `start` where there is
    no change of sign: the best τ lies at an end of the grid.
    """
    slope_low, slope_high = _slope(x, y, low), _slope(x, y, high)
    has_zero, found = (slope_low < 0) & (slope_high > 0), start.copy()
    for _ in range(MAX_STEPS):
        with np.errstate(invalid="ignore", divide="ignore"):
            middle = np.where(has_zero, (low * slope_high - high * slope_low) / (slope_high - slope_low), start)
        step, found = np.abs(middle - found), middle
        if step.max(initial=0.0) < TOLERANCE:
            break
        slope = _slope(x, y, middle)
        rises = slope > 0
        slope_low, slope_high = (
            np.where(rises, slope_low / 2, slope),
            np.where(rises, slope, slope_high / 2),
        )
        low, high = np.where(rises, low, middle), np.where(rises, middle, high)
    return found


def _best_height(x: FloatArray, y: FloatArray, log_tau: FloatArray) -> FloatArray:
    g = 1 - np.exp(-x[:, None] / np.exp(log_tau))
    return np.asarray(np.clip((y * g).sum(axis=0) / (g**2).sum(axis=0), 0, UPPER_BOUND))


def _slope(x: FloatArray, y: FloatArray, log_tau: FloatArray) -> FloatArray:
    """Half of the slope of the squared error along log τ over v0, at the best v0: Σ (y − v0 g) (x/τ) exp(−x/τ)."""
    rates = x[:, None] / np.exp(log_tau)
    decayed = np.exp(-rates)
    g = 1 - decayed
    height = np.clip((y * g).sum(axis=0) / (g**2).sum(axis=0), 0, UPPER_BOUND)
    return np.asarray(((y - height * g) * rates * decayed).sum(axis=0))
