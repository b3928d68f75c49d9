"""P5: least squares on random splits, as the study of 25 models does it, against scikit-learn's LinearRegression."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import ShuffleSplit

from scoring.regression.encode import EncodingFit, cross_val_encode
from scoring.regression.folds import Fold
from scoring.regression.rules import LEAST_SQUARES
from scoring.types import FeatureArray, FloatArray

from . import recordings, ridge_peers, timing
from .table import Row, at_least, at_most

LINE = "P5"
N_ROWS, N_FEATURES, N_UNITS, N_SPLITS = 384, 768, 13_553, 10


def splits(n_rows: int) -> list[Fold]:
    """Random tenths held out."""
    shuffled = ShuffleSplit(n_splits=N_SPLITS, test_size=0.1, random_state=1).split(np.empty(n_rows))
    return [Fold(train=np.sort(train), test=np.sort(test)) for train, test in shuffled]


def measure() -> list[Row]:
    """Time of both from features to r, and the largest difference."""
    X = recordings.features(N_ROWS, N_FEATURES, seed=5)
    return compare(X, recordings.responses(X, N_UNITS, seed=5), splits(N_ROWS), n_rounds=timing.N_ROUNDS)


def compare(X: FeatureArray, Y: FloatArray, folds: list[Fold], *, n_rounds: int) -> list[Row]:
    """The rows for features and responses; the peer gets features in float64, which it otherwise solves in float32."""
    answers: list[EncodingFit] = []
    found: list[list[FloatArray]] = []
    wide = X.astype(np.float64)
    ours_s, peer_s = timing.seconds_in_turns(
        lambda: answers.append(cross_val_encode(recordings.gram(X), Y, folds, LEAST_SQUARES)),
        lambda: found.append(ridge_peers.least_squares(wide, Y, folds)),
        n_rounds=n_rounds,
    )
    r = recordings.correlations(Y, found[-1], folds)
    (n, n_features), n_units = X.shape, Y.shape[1]
    return [
        Row(
            line=LINE,
            work=f"least squares, {n} × {n_features} → {n_units:,}, {len(folds)} splits; peer: LinearRegression",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.2f} s",
            figure=peer_s / ours_s,
            target=at_least(20, "{:.0f}×"),
        ),
        Row(
            line=LINE,
            work="largest difference of r",
            figure=float(np.abs(answers[-1].test_r - r).max()),
            target=at_most(1e-6, "{:.1e}"),
        ),
    ]
