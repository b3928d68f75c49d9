"""CKA and RSA against their textbook formulas, and the layer that they choose."""

import numpy as np
import pytest
import scipy.stats

from scoring.datasets.base import Experiment
from scoring.errors import NumericalFailure
from scoring.metrics.cka import cka, cka_debiased
from scoring.metrics.part_fits import part_data
from scoring.metrics.representations import representational_measures
from scoring.metrics.rsa import pairs_of, row_correlations, rsa
from scoring.protocols import GROUPED
from scoring.recording import Recording, Units
from scoring.regression.gram import Gram
from scoring.types import Passage, Stimuli

MEASURES = ["cka", "cka_debiased", "rsa", "rsa_between_passages"]


def centring(n):
    return np.eye(n) - np.full((n, n), 1 / n)


def hsic_1(K, L):
    """Song et al. (2012), equation 4, term by term."""
    n = len(K)
    K, L, ones = K * (1 - np.eye(n)), L * (1 - np.eye(n)), np.ones(n)
    first = np.trace(K @ L)
    second = (ones @ K @ ones) * (ones @ L @ ones) / ((n - 1) * (n - 2))
    third = 2 / (n - 2) * (ones @ K @ L @ ones)
    return (first + second - third) / (n * (n - 3))


def related(n=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, 6)) + 3
    return X, X @ rng.standard_normal((6, 9)) + rng.standard_normal((n, 9)) - 1


def test_alignment_equals_its_formula():
    X, Y = related()
    H = centring(20)
    K, L = H @ X @ X.T @ H, H @ Y @ Y.T @ H
    expected = np.sum(K * L) / np.sqrt(np.sum(K * K) * np.sum(L * L))
    assert cka(X @ X.T, Y @ Y.T) == pytest.approx(expected)
    Xc, Yc = H @ X, H @ Y
    by_features = np.linalg.norm(Yc.T @ Xc) ** 2 / (np.linalg.norm(Xc.T @ Xc) * np.linalg.norm(Yc.T @ Yc))
    assert cka(X @ X.T, Y @ Y.T) == pytest.approx(by_features)


def test_debiased_alignment_equals_its_formula():
    X, Y = related()
    K, L = X @ X.T, Y @ Y.T
    assert cka_debiased(K, L) == pytest.approx(hsic_1(K, L) / np.sqrt(hsic_1(K, K) * hsic_1(L, L)))


@pytest.mark.parametrize("measure", [cka, cka_debiased])
def test_alignment_knows_no_rotation_scale_or_origin_and_is_one_with_itself(measure):
    X, Y = related()
    rotation, _ = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))
    turned = 5 * X @ rotation + 1000
    assert measure(turned @ turned.T, Y @ Y.T) == pytest.approx(measure(X @ X.T, Y @ Y.T), rel=1e-6)
    assert measure(X @ X.T, turned @ turned.T) == pytest.approx(1, rel=1e-6)


def test_noise_of_many_features_is_aligned_but_not_when_debiased():
    rng = np.random.default_rng(2)
    pairs = [rng.standard_normal((2, 30, 400)) for _ in range(40)]
    biased, debiased = (np.mean([one(X @ X.T, Y @ Y.T) for X, Y in pairs]) for one in (cka, cka_debiased))
    assert biased > 0.8
    assert abs(debiased) < 0.02


def test_what_does_not_vary_has_no_alignment_and_three_rows_are_too_few():
    X, Y = related()
    flat = np.full_like(X, 7.3)
    assert np.isnan(cka(flat @ flat.T, Y @ Y.T))
    assert np.isnan(cka_debiased(flat @ flat.T, Y @ Y.T))
    with pytest.raises(NumericalFailure, match="four rows"):
        cka_debiased(np.eye(3), np.eye(3))


def test_representational_similarity_equals_scipy_on_all_pairs_and_between_passages():
    X, Y = related()
    passages = np.repeat(["a", "b", "c", "d"], 5)
    rows = np.array([0, 1, 2, 6, 7, 11, 16, 17, 18])
    assert row_correlations(X) == pytest.approx(np.corrcoef(X))
    for pairs in (pairs_of(rows), pairs_of(rows, passages)):
        distances = [[1 - scipy.stats.pearsonr(Z[i], Z[j])[0] for i, j in zip(*pairs, strict=True)] for Z in (X, Y)]
        expected = scipy.stats.spearmanr(*distances).statistic
        gram = Gram.of(X.astype(np.float32))
        assert rsa(gram.row_correlations(), row_correlations(Y), pairs) == pytest.approx(expected, abs=1e-6)
    assert len(pairs_of(rows)[0]) == 36
    assert all(passages[i] != passages[j] for i, j in zip(*pairs_of(rows, passages), strict=True))


def test_ties_between_distances_share_their_rank():
    X = np.array([[1.0, 2, 3], [3, 2, 1], [1, 2, 3], [1, 3, 2], [2, 1, 3]])
    Y = related(5)[1]
    pairs = pairs_of(np.arange(5))
    expected = scipy.stats.spearmanr(1 - np.corrcoef(X)[pairs].round(12), 1 - np.corrcoef(Y)[pairs]).statistic
    assert rsa(row_correlations(X).round(12), row_correlations(Y), pairs) == pytest.approx(expected)


def test_a_row_without_variation_has_no_similarity():
    X, Y = related()
    X[3] = 1.0
    assert np.isnan(rsa(row_correlations(X), row_correlations(Y), pairs_of(np.arange(20))))


def parts_of(Y, owners, *, length=4, n_folds=4):
    passages = tuple(
        Passage.join(f"p{start}", [f"Text {row}." for row in range(start, start + length)])
        for start in range(0, len(Y), length)
    )
    stimuli = Stimuli(
        ids=tuple(map(str, range(len(Y)))),
        passages=passages,
        groups=tuple(passage.name for passage in passages for _ in passage.spans),
    )
    experiment = Experiment(stimuli=stimuli, measured=Recording.of(Y, Units.numbered(owners)), ceiling=None)
    return part_data(experiment, GROUPED.brain, n_folds)


def planted(seed=0, n_rows=64):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 12)).astype(np.float32)
    Y = X @ rng.standard_normal((12, 40)) + 0.5 * rng.standard_normal((n_rows, 40))
    layers = {
        "flat": np.ones((n_rows, 5), np.float32),
        "noise": rng.standard_normal((n_rows, 12)).astype(np.float32),
        "planted": X,
    }
    return layers, Y


def test_the_planted_layer_counts_by_its_value_on_the_test_rows():
    """Participants by themselves, then their mean; the same mean over folds as when each step is written out."""
    layers, Y = planted()
    owners = ["a"] * 15 + ["b"] * 25
    (part,) = parts_of(Y, owners)
    found = representational_measures(layers, [part])
    assert list(found) == MEASURES
    assert found == pytest.approx(representational_measures({"planted": layers["planted"]}, [part]))
    X, passages = layers["planted"].astype(np.float64), np.asarray(part.passages)
    expected = {name: [] for name in MEASURES}
    for fold in part.folds:
        for Z in (Y[:, :15], Y[:, 15:]):
            K, L = X[fold.test] @ X[fold.test].T, Z[fold.test] @ Z[fold.test].T
            expected["cka"].append(cka(K, L))
            expected["cka_debiased"].append(cka_debiased(K, L))
            for name, pairs in (
                ("rsa", pairs_of(fold.test)),
                ("rsa_between_passages", pairs_of(fold.test, passages)),
            ):
                expected[name].append(rsa(np.corrcoef(X), np.corrcoef(Z), pairs))
    assert found == pytest.approx({name: np.mean(values) for name, values in expected.items()}, abs=1e-5)


def test_noise_has_nothing_in_common_but_the_bias():
    rng = np.random.default_rng(3)
    found = [
        representational_measures(
            {"noise": rng.standard_normal((64, 30)).astype(np.float32)},
            parts_of(rng.standard_normal((64, 30)), ["a"] * 30),
        )
        for _ in range(12)
    ]
    means = {name: np.mean([one[name] for one in found]) for name in MEASURES}
    assert means["cka"] > 0.4
    assert abs(means["cka_debiased"]) < 0.05
    assert abs(means["rsa"]) < 0.05
    assert abs(means["rsa_between_passages"]) < 0.05


def test_measures_that_a_fold_has_not_are_left_out():
    layers, Y = planted()
    whole_runs = representational_measures(layers, parts_of(Y, ["a"] * 40, length=16))
    assert "rsa" in whole_runs
    assert "rsa_between_passages" not in whole_runs
    one_unit = representational_measures(layers, parts_of(Y[:, :1], ["a"]))
    assert sorted(one_unit) == ["cka", "cka_debiased"]


def test_gram_matrices_and_features_give_the_same():
    layers, Y = planted()
    parts = parts_of(Y, ["a"] * 40)
    grams = {name: Gram.of(features) for name, features in layers.items()}
    assert representational_measures(grams, parts) == representational_measures(layers, parts)
