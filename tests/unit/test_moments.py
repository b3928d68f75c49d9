"""Rows that are moments: means of stimuli, delays, and the fit of a few components."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.stats
from sklearn.decomposition import PCA
from sklearn.model_selection import KFold

from scoring.metrics.component_fits import fit_components, predict_components, principal_scores
from scoring.metrics.moments import features_on_moments, on_moments, stimuli_of_rows
from scoring.protocols import PAPER
from scoring.recording import Timeline
from scoring.regression.folds import Split, SplitKind, make_folds
from scoring.regression.gram import Gram

N_MOMENTS = 60


@pytest.fixture
def timeline():
    """Three runs of 20 moments; moments have 0 to 3 stimuli; the first 3 and the last of each run were not recorded."""
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 4, N_MOMENTS)
    bounds = np.concatenate([[0], np.cumsum(counts)])
    return Timeline(
        stimuli=tuple(np.arange(start, stop) for start, stop in pairwise(bounds)),
        runs=tuple(f"run-{moment // 20}" for moment in range(N_MOMENTS)),
        rows=np.array([moment for moment in range(N_MOMENTS) if 3 <= moment % 20 < 19]),
        delays=(1, 2, 4),
    )


@pytest.fixture
def features(timeline):
    n_stimuli = sum(map(len, timeline.stimuli))
    return (np.random.default_rng(1).standard_normal((n_stimuli, 7)) + 3).astype(np.float32)


def by_hand(features, timeline):
    """Delayed features of every row, one moment after the other."""
    centred = features.astype(float) - features.astype(float).mean(axis=0)
    rows = []
    for moment in timeline.rows:
        row = []
        for delay in timeline.delays:
            source = moment - delay
            is_there = source >= 0 and timeline.runs[source] == timeline.runs[moment] and len(timeline.stimuli[source])
            row.append(centred[timeline.stimuli[source]].mean(axis=0) if is_there else np.zeros(features.shape[1]))
        rows.append(np.concatenate(row))
    return np.array(rows)


def test_the_gram_matrix_of_moments_is_that_of_their_delayed_means(features, timeline):
    X = by_hand(features, timeline)
    found = on_moments(features, timeline)
    np.testing.assert_allclose(found.K, X @ X.T, atol=1e-9)
    assert found.n_features == X.shape[1] == 21
    np.testing.assert_allclose(features_on_moments(features.astype(float), timeline), X, atol=1e-12)


def test_the_gram_matrix_of_stimuli_serves_as_well_as_their_features(features, timeline):
    of_gram, of_features = on_moments(Gram.of(features), timeline), on_moments(features, timeline)
    for part in ("K", "row_sums", "row_projections", "squared_mean"):
        np.testing.assert_allclose(getattr(of_gram, part), getattr(of_features, part), atol=1e-9)
    same = [found.distinct[:, None] == found.distinct for found in (of_gram, of_features)]
    np.testing.assert_array_equal(*same)


def test_correlations_between_rows_follow_from_their_gram_matrix(features, timeline):
    mean = features.astype(float).mean(axis=0)
    X = by_hand(features, timeline) + np.tile(mean, 3)
    np.testing.assert_allclose(on_moments(features, timeline).row_correlations(), np.corrcoef(X), atol=1e-9)


def test_moments_of_equal_stimuli_are_constant(features, timeline):
    constant = np.repeat(features[:1], len(features), axis=0)
    found = on_moments(constant, timeline)
    assert found.is_constant(np.arange(len(timeline.rows)))
    assert not on_moments(features, timeline).is_constant(np.arange(len(timeline.rows)))


def test_rows_share_a_label_exactly_where_their_features_are_equal(timeline):
    few = np.random.default_rng(2).integers(0, 2, (sum(map(len, timeline.stimuli)), 2)).astype(np.float32)
    X, labels = np.round(by_hand(few, timeline), 6), on_moments(few, timeline).distinct
    same_label = labels[:, None] == labels
    assert not (same_label & (np.abs(X[:, None] - X).max(axis=2) > 0)).any()


def test_training_rows_have_seen_the_stimuli_of_their_own_moments(timeline):
    rows = np.array([0, 1, 5])
    expected = sorted(stimulus for moment in timeline.rows[rows] for stimulus in timeline.stimuli[moment])
    assert stimuli_of_rows(timeline, rows).tolist() == expected


@pytest.mark.parametrize("n_features", [4, 40])
def test_scores_are_those_of_principal_component_analysis(n_features):
    X = np.random.default_rng(3).standard_normal((80, n_features)) * np.arange(1, n_features + 1) + 5
    train = np.arange(0, 80, 2)
    found = principal_scores(Gram.of(X).K, train)
    n_components = min(10, n_features)
    expected = PCA(n_components, svd_solver="full").fit(X[train]).transform(X)
    assert found.shape == expected.shape
    np.testing.assert_allclose(np.abs(found[:, ::-1]), np.abs(expected), atol=1e-6)


def restated(features, Y, folds, timeline, penalties):
    """The study's procedure step by step: r of each fold and unit, chosen penalties, predictions."""
    run_of_row = np.array(timeline.runs)[timeline.rows]
    found, chosen, predictions = [], [], []
    for fold in folds:
        seen = np.unique(np.concatenate([timeline.stimuli[moment] for moment in timeline.rows[fold.train]]))
        scores = PCA(10, svd_solver="full").fit(features[seen]).transform(features)
        X = by_hand(scores, timeline)
        X = np.vstack([scipy.stats.zscore(X[run_of_row == run]) for run in dict.fromkeys(run_of_row)])
        X_train, X_test = scipy.stats.zscore(X[fold.train]), scipy.stats.zscore(X[fold.test])
        Y_train, Y_test = scipy.stats.zscore(Y[fold.train]), scipy.stats.zscore(Y[fold.test])

        def weights(X, Y, penalty):
            return np.linalg.solve(X.T @ X + penalty * np.eye(X.shape[1]), X.T @ Y)

        error = np.zeros((len(penalties), Y.shape[1]))
        for train, test in KFold(10).split(X_train):
            for index, penalty in enumerate(penalties):
                predicted = X_train[test] @ weights(X_train[train], Y_train[train], penalty)
                error[index] += ((Y_train[test] - predicted) ** 2).mean(axis=0) / Y_train[test].var(axis=0)
        best = error.argmin(axis=0)
        columns = [X_test @ weights(X_train, Y_train[:, [unit]], penalties[index]) for unit, index in enumerate(best)]
        predictions.append(np.hstack(columns))
        found.append((scipy.stats.zscore(predictions[-1]) * Y_test).mean(axis=0))
        chosen.append(np.array(penalties)[best])
    return np.array(found), np.array(chosen), predictions


def test_components_are_fitted_as_the_study_did_it(timeline):
    rng = np.random.default_rng(4)
    features = rng.standard_normal((sum(map(len, timeline.stimuli)), 30)) * np.linspace(3, 1, 30)
    X = by_hand(features, timeline)
    Y = X @ rng.standard_normal((X.shape[1], 6)) + 3 * rng.standard_normal((len(X), 6))
    groups = [timeline.runs[moment] for moment in timeline.rows]
    folds = make_folds(Split(kind=SplitKind.GROUPS), groups, groups, n_folds=3, n_purged=2)
    regression = PAPER.brain_rules("wehbe2014").regression
    r, chosen, predictions = restated(features, Y, folds, timeline, 10.0 ** np.arange(-6, 10))
    K = Gram.of(features).K
    fit = fit_components(K, Y, folds, regression, timeline)
    np.testing.assert_allclose(fit.penalties, chosen)
    np.testing.assert_allclose(fit.test_r, r, atol=1e-7)
    for found, expected in zip(predict_components(K, Y, folds, fit.penalties, timeline), predictions, strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_a_unit_that_never_varies_has_no_r(timeline):
    rng = np.random.default_rng(5)
    features = rng.standard_normal((sum(map(len, timeline.stimuli)), 12))
    Y = rng.standard_normal((len(timeline.rows), 3))
    Y[:, 1] = 2.0
    groups = [timeline.runs[moment] for moment in timeline.rows]
    folds = make_folds(Split(kind=SplitKind.GROUPS), groups, groups, n_folds=3)
    fit = fit_components(Gram.of(features).K, Y, folds, PAPER.brain_rules("wehbe2014").regression, timeline)
    assert np.isnan(fit.test_r).tolist() == [[False, True, False]] * 3
