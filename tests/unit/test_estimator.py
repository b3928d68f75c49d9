"""The scikit-learn estimator: scikit-learn's own checks, and its numbers against RidgeCV."""

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV
from sklearn.utils.estimator_checks import check_estimator

from scoring.regression.estimator import EncodingRidgeCV


def planted(n_features):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, n_features)) + 2.0
    Y = X[:, :3] @ rng.standard_normal((3, 8)) + np.linspace(0.1, 20, 8) * rng.standard_normal((50, 8))
    return X, Y


@pytest.mark.parametrize("selection", ["generalised", "leave-one-out"])
def test_it_passes_the_checks_of_scikit_learn(selection):
    check_estimator(EncodingRidgeCV(selection=selection), on_skip=None)


@pytest.mark.parametrize("n_features", [10, 200])
def test_it_chooses_and_predicts_as_ridge_cv_does(n_features):
    X, Y = planted(n_features)
    penalties = np.logspace(-2, 5, 12)
    ours = EncodingRidgeCV(penalties, selection="leave-one-out").fit(X[:40], Y[:40])
    peer = RidgeCV(penalties, alpha_per_target=True).fit(X[:40], Y[:40])
    np.testing.assert_allclose(ours.penalties_, peer.alpha_)
    np.testing.assert_allclose(ours.predict(X[40:]), peer.predict(X[40:]), atol=1e-8)
    np.testing.assert_allclose(ours.coef_, peer.coef_, atol=1e-8)


@pytest.mark.parametrize("settings", [{"selection": "aic"}, {"penalties": [0.0, 1.0]}])
def test_settings_that_mean_nothing_are_refused(settings):
    X, Y = planted(5)
    with pytest.raises(ValueError, match=r"selection|penalties"):
        EncodingRidgeCV(**settings).fit(X, Y)
