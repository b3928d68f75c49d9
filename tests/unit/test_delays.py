"""Delayed features through their inner products, against columns that are really built."""

import numpy as np

from scoring.regression.delays import delayed

RUNS = ("a",) * 7 + ("b",) * 9
DELAYS = (1, 2, 4)


def built(X, runs, delays):
    """Each moment's features of some moments before, side by side; zeros before the start of its run."""
    X = X - X.mean(axis=0)
    columns = []
    for delay in delays:
        shifted = np.zeros_like(X)
        for moment in range(delay, len(X)):
            if runs[moment] == runs[moment - delay]:
                shifted[moment] = X[moment - delay]
        columns.append(shifted)
    return np.hstack(columns)


def test_inner_products_are_those_of_the_columns():
    X = np.random.default_rng(0).standard_normal((16, 5)) + 3.0
    Z = built(X, RUNS, DELAYS)
    np.testing.assert_allclose(delayed(X @ X.T, RUNS, DELAYS), Z @ Z.T, atol=1e-10)


def test_delay_zero_is_the_moment_itself():
    X = np.random.default_rng(0).standard_normal((16, 5))
    X -= X.mean(axis=0)
    np.testing.assert_allclose(delayed(X @ X.T, RUNS, (0,)), X @ X.T, atol=1e-12)


def test_nothing_crosses_from_one_run_to_the_next():
    X = np.random.default_rng(0).standard_normal((16, 5))
    changed = X.copy()
    changed[:7] -= changed[:7].mean(axis=0)
    changed[7:] -= changed[7:].mean(axis=0)
    other = changed.copy()
    other[:7] *= 2
    first, second = (delayed(one @ one.T, RUNS, DELAYS)[7:, 7:] for one in (changed, other))
    np.testing.assert_allclose(first, second, atol=1e-12)
