"""Gram matrices: what they keep of the features, and that a part of one is the Gram matrix of the part."""

import numpy as np
import pytest

from scoring.datasets.base import Experiment
from scoring.errors import NumericalFailure
from scoring.metrics.linear_predictivity import predict_recording
from scoring.protocols import GROUPED
from scoring.recording import Recording, Units
from scoring.regression.gram import Gram, as_gram, gram_bytes
from scoring.responses import Responses
from scoring.results import Ceiling
from scoring.types import Passage, Stimuli


def features(n_rows, n_features, *, seed=0, offset=3.0):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal((n_rows, n_features)) + offset).astype(np.float32)


def centred_product(X):
    centred = X.astype(np.float64) - X.astype(np.float64).mean(axis=0)
    return centred @ centred.T


@pytest.mark.parametrize("chunk", [1, 7, 50, 4096])
def test_it_is_centred_and_independent_of_the_chunk(chunk):
    X = features(30, 50)
    gram = Gram.of(X, chunk=chunk)
    np.testing.assert_allclose(gram.K, centred_product(X), atol=1e-10)
    np.testing.assert_allclose(gram.K.sum(axis=0), 0, atol=1e-9)
    assert (len(gram), gram.n_features) == (30, 50)


def test_a_part_is_the_gram_matrix_of_the_part():
    X = features(40, 12)
    X[20:] += 100
    rows = np.array([3, 1, 25, 30, 39])
    np.testing.assert_allclose(Gram.of(X).part(rows), Gram.of(X[rows]).K, atol=1e-8)


@pytest.mark.parametrize("offset", [0.0, 3.0, 500.0])
def test_correlations_of_rows_equal_those_of_the_features(offset):
    X = features(25, 300, offset=offset)
    expected = np.corrcoef(X.astype(np.float64))
    np.testing.assert_allclose(Gram.of(X, chunk=64).row_correlations(), expected, atol=1e-9)


def test_a_row_of_equal_features_correlates_with_nothing():
    X = features(6, 40)
    X[2] = 7.1
    r = Gram.of(X).row_correlations()
    assert np.isnan(r[2]).all()
    assert np.isfinite(np.delete(np.delete(r, 2, axis=0), 2, axis=1)).all()


def test_rows_share_a_label_only_where_every_feature_is_equal():
    X = np.full((5, 9000), 0.1, np.float32)
    X[3, 8999] = np.nextafter(np.float32(0.1), np.float32(1))
    gram = Gram.of(X)
    assert gram.distinct.tolist() == [0, 0, 0, 1, 0]
    assert gram.is_constant(np.array([0, 1, 4]))
    assert not gram.is_constant(np.array([0, 3]))


def test_both_zeros_are_one_number():
    assert Gram.of(np.array([[0.0, 1.0], [-0.0, 1.0]], np.float32)).is_constant(np.arange(2))


def test_scores_do_not_depend_on_whether_features_or_their_gram_matrix_are_given():
    rng = np.random.default_rng(4)
    X = features(80, 200)
    texts = tuple(f"Text {row}." for row in range(80))
    experiment = Experiment(
        stimuli=Stimuli(
            ids=texts,
            passages=tuple(Passage.join(text, [text]) for text in texts),
            groups=tuple(f"g{row // 10}" for row in range(80)),
        ),
        measured=Recording.of(
            X[:, :5] @ rng.standard_normal((5, 6)) + rng.standard_normal((80, 6)),
            Units.numbered(("p",) * 6),
            {"a": np.arange(40), "b": np.arange(40, 80)},
        ),
        ceiling=Ceiling.none("made up"),
    )
    given = [
        predict_recording({"layer": layer}, experiment, GROUPED.brain, n_folds=4)
        for layer in (X, Gram.of(X), as_gram(Gram.of(X)))
    ]
    assert given[0] == given[1] == given[2]


def test_responses_keep_what_is_smaller():
    wide, narrow = features(20, 500), features(20, 4)
    reduced = Responses(layers={"wide": wide, "narrow": narrow}, conditions={"dtype": "float32"}).reduced()
    assert list(reduced.layers) == ["wide", "narrow"]
    assert isinstance(reduced.layers["wide"], Gram)
    assert reduced.layers["narrow"] is narrow
    assert reduced.conditions == {"dtype": "float32"}
    assert reduced.reduced().layers["wide"] is reduced.layers["wide"]
    assert gram_bytes(20) < wide.nbytes


def test_a_matrix_that_is_not_finite_is_refused():
    X = features(5, 3)
    X[0, 0] = np.inf
    with pytest.raises(NumericalFailure, match="not finite"), np.errstate(invalid="ignore"):
        Gram.of(X)


def test_sums_of_another_length_are_refused():
    gram = Gram.of(features(5, 3))
    with pytest.raises(NumericalFailure, match="does not fit"):
        Gram(**{**vars(gram), "row_sums": np.zeros(4)})
