"""The direct ridge solver against scikit-learn, and the nested choice against a plain restatement."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from scoring.metrics.correlation import pearson_columns
from scoring.regression.direct import kernel_of, path
from scoring.regression.encode import cross_val_encode
from scoring.regression.folds import Fold
from scoring.regression.gram import Gram
from scoring.regression.rules import NESTED_RIDGE, RELATIVE_GRID


def planted(n_rows, n_features, n_units, *, noise=1.0, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features)) + 3.0
    Y = X @ rng.standard_normal((n_features, n_units)) + noise * rng.standard_normal((n_rows, n_units)) - 7.0
    return X, Y


def gram(X):
    return Gram.of(X).K


def partition(n_rows, n_folds):
    tests = np.array_split(np.arange(n_rows), n_folds)
    return [Fold(train=np.setdiff1d(np.arange(n_rows), test), test=test) for test in tests]


def nested_ridge(K, Y, folds, **options):
    return cross_val_encode(K, Y, folds, NESTED_RIDGE, **options)


@pytest.mark.parametrize("n_features", [5, 40, 300])
def test_ridge_equals_scikit_learn_per_fold_and_penalty(n_features):
    X, Y = planted(90, n_features, 6)
    K = gram(X)
    penalties = RELATIVE_GRID.penalties(K)
    for fold in partition(90, 5):
        for penalty, prediction in zip(penalties, path(kernel_of(K), Y, fold, penalties), strict=True):
            model = Ridge(alpha=penalty, solver="svd").fit(X[fold.train], Y[fold.train])
            reference = model.predict(X[fold.test])
            np.testing.assert_allclose(prediction, reference, rtol=0, atol=1e-8)


def test_penalties_follow_the_scale_of_the_features():
    X, _ = planted(30, 8, 1)
    np.testing.assert_allclose(RELATIVE_GRID.penalties(gram(10 * X)), 100 * RELATIVE_GRID.penalties(gram(X)))
    assert len(RELATIVE_GRID.penalties(gram(X))) == 20


def restated(X, Y, folds, penalties):
    """Nested group folds in the plainest words: Ridge of scikit-learn for every outer, inner and penalty."""
    test_r, inner_r = np.empty((len(folds), Y.shape[1])), np.empty((len(folds), Y.shape[1]))
    for outer, test in enumerate(folds):
        others = [rows for fold, rows in enumerate(folds) if fold != outer]
        error = np.zeros((len(penalties), Y.shape[1]))
        r = np.zeros((len(others), len(penalties), Y.shape[1]))
        for i, inner in enumerate(others):
            train = np.concatenate([rows for j, rows in enumerate(others) if j != i])
            for p, penalty in enumerate(penalties):
                prediction = Ridge(alpha=penalty, solver="svd").fit(X[train], Y[train]).predict(X[inner])
                error[p] += ((prediction - Y[inner]) ** 2).sum(axis=0)
                r[i, p] = pearson_columns(Y[inner], prediction, Y[train])
        chosen = error.argmin(axis=0)
        train = np.concatenate(others)
        for unit, penalty in enumerate(penalties[chosen]):
            prediction = Ridge(alpha=penalty, solver="svd").fit(X[train], Y[train, unit]).predict(X[test])
            test_r[outer, unit] = np.corrcoef(prediction, Y[test, unit])[0, 1]
            inner_r[outer, unit] = r[:, chosen[unit], unit].mean()
    return test_r, inner_r


def test_nested_choice_equals_its_plain_restatement():
    X, Y = planted(60, 12, 5, noise=6.0)
    folds = partition(60, 4)
    K = gram(X)
    fit = nested_ridge(K, Y, folds)
    test_r, inner_r = restated(X, Y, [fold.test for fold in folds], RELATIVE_GRID.penalties(K))
    np.testing.assert_allclose(fit.test_r, test_r, atol=1e-8)
    np.testing.assert_allclose(fit.inner_r, inner_r, atol=1e-8)


def test_nested_choice_reports_each_outer_fold():
    X, Y = planted(40, 3, 2)
    n_calls = 0

    def count():
        nonlocal n_calls
        n_calls += 1

    nested_ridge(gram(X), Y, partition(40, 4), on_fold=count)
    assert n_calls == 4


def test_penalties_that_tie_take_the_larger():
    X, Y = planted(40, 3, 1)
    Y[:] = 2.0
    fit = nested_ridge(gram(X), Y, partition(40, 4))
    assert fit.high_edge.tolist() == [1.0] * 4


def test_a_unit_of_noise_takes_a_large_penalty_and_a_planted_one_a_small():
    X, Y = planted(80, 6, 1, noise=0.01)
    noise = np.random.default_rng(5).standard_normal((80, 1))
    folds = partition(80, 8)
    assert nested_ridge(gram(X), Y, folds).test_r.mean() > 0.99
    assert nested_ridge(gram(X), noise, folds).high_edge.mean() > 0.3


def test_the_test_rows_never_touch_the_choice():
    """Changing the responses of the outer test rows leaves the inner r of that fold as it was."""
    X, Y = planted(60, 5, 3, noise=3.0)
    folds = partition(60, 4)
    before = nested_ridge(gram(X), Y, folds)
    changed = Y.copy()
    changed[folds[2].test] = np.random.default_rng(9).standard_normal((15, 3)) * 100
    after = nested_ridge(gram(X), changed, folds)
    np.testing.assert_array_equal(before.inner_r[2], after.inner_r[2])
    assert not np.allclose(before.inner_r[0], after.inner_r[0])
