"""The fast paths against the direct one on a real participant and real word vectors, units thinned.

They need the real files: BROCA_DATA_MIRROR for the data sets.
"""

from dataclasses import replace

import numpy as np
import pytest

from scoring.benchmarks.base import benchmark_named
from scoring.metrics.part_fits import part_data
from scoring.protocols import GROUPED, PAPER
from scoring.regression import encode, fast
from scoring.regression.encode import cross_val_encode
from scoring.regression.gram import Gram
from scoring.regression.rules import Selection

EVERY = 10


@pytest.fixture
def parts(data_mirror, data_store):
    vectors = data_mirror / "pereira2018_example" / "glove300.npy"
    if not vectors.is_file():
        pytest.skip(f"{vectors.name} is not in the mirror")
    gram = Gram.of(np.load(vectors, allow_pickle=False))
    experiment = benchmark_named("pereira2018-example").experiment(data_store("pereira2018-example"))

    def of(rules):
        return [(gram.part(part.rows), part.Y[:, ::EVERY], part.folds) for part in part_data(experiment, rules, 8)]

    return of


@pytest.mark.parametrize("selection", [Selection.NESTED_FOLDS, Selection.LEAVE_ONE_OUT, Selection.GENERALISED])
def test_ridge_of_a_real_participant(monkeypatch, parts, selection):
    """In float32, as recordings of many units are fitted."""
    monkeypatch.setattr(fast, "FEW_UNITS", 0)
    regression = replace(GROUPED.brain.regression, selection=selection)
    for K, Y, folds in parts(GROUPED.brain):
        quick, alone = (cross_val_encode(K, Y, folds, regression, with_inner_r=asked) for asked in (True, False))
        with monkeypatch.context() as patch:
            patch.setattr(encode, "_is_fast", lambda problem: False)
            slow = cross_val_encode(K, Y, folds, regression, with_inner_r=True)
        same = quick.penalties == slow.penalties
        assert same.mean() >= 0.999
        assert np.abs(quick.test_r - slow.test_r)[same].max() < 1e-5
        assert np.abs(alone.test_r - slow.test_r)[same].max() < 1e-5
        if slow.inner_r is not None:
            assert np.abs(quick.inner_r - slow.inner_r)[same].max() < 1e-5


def test_least_squares_of_a_real_participant(monkeypatch, parts):
    monkeypatch.setattr(fast, "FEW_UNITS", 0)
    for K, Y, folds in parts(PAPER.brain):
        quick = cross_val_encode(K, Y, folds, PAPER.brain.regression)
        with monkeypatch.context() as patch:
            patch.setattr(encode, "_is_fast", lambda problem: False)
            slow = cross_val_encode(K, Y, folds, PAPER.brain.regression)
        assert np.abs(quick.test_r - slow.test_r).max() < 1e-6
