"""P1: exact leave-one-out ridge with a penalty for each unit, against scikit-learn's RidgeCV."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scoring.regression.encode import EncodingFit, cross_val_encode
from scoring.regression.folds import Fold
from scoring.regression.rules import NESTED_RIDGE, Selection
from scoring.types import FeatureArray, FloatArray

from . import recordings, ridge_peers, timing
from .table import Row, at_least, at_most

LINE = "P1"
LEFT_OUT = replace(NESTED_RIDGE, selection=Selection.LEAVE_ONE_OUT)
FLOORS = {4096: 35.0, 768: 14.0}
"""Features and how many times as fast the fit has to be."""


def measure() -> list[Row]:
    """Time of both from features to r, and how far the answers are apart, for each number of features."""
    rows = []
    for n_features, floor in FLOORS.items():
        X = recordings.features(recordings.N_ROWS, n_features, seed=1)
        Y = recordings.responses(X, recordings.N_UNITS, seed=1)
        rows += compare(X, Y, recordings.folds(), floor=floor, n_rounds=timing.N_ROUNDS)
    return rows


def compare(X: FeatureArray, Y: FloatArray, folds: list[Fold], *, floor: float, n_rounds: int) -> list[Row]:
    """The rows for one set of features; the peer fits the first fold, and its time counts once for each.

    The peer gets features in float64: in float32 its r is right to four decimals only.
    """
    wide = X.astype(np.float64)
    answers: list[EncodingFit] = []
    found: list[tuple[FloatArray, FloatArray]] = []
    penalties = recordings.penalties(recordings.gram(X))
    ours_s, fold_s = timing.seconds_in_turns(
        lambda: answers.append(cross_val_encode(recordings.gram(X), Y, folds, LEFT_OUT)),
        lambda: found.append(ridge_peers.ridge_cv(wide, Y, folds[0], penalties)),
        n_rounds=n_rounds,
    )
    chosen, predictions = found[-1]
    same = np.isclose(answers[-1].penalties[0], chosen, rtol=1e-6)
    r = recordings.correlations(Y, [predictions], folds[:1])[0]
    (n, n_features), peer_s = X.shape, fold_s * len(folds)
    work = f"leave-one-out ridge, {n} × {n_features:,} → {Y.shape[1]:,}"
    return [
        Row(
            line=LINE,
            work=f"{work}, {len(folds)} folds; peer: RidgeCV, one fold × {len(folds)}",
            ours=f"{ours_s:.2f} s",
            peer=f"{peer_s:.1f} s",
            figure=peer_s / ours_s,
            target=at_least(floor, "{:.0f}×"),
        ),
        Row(line=LINE, work=f"{work}: equal penalties", figure=float(same.mean()), target=at_least(0.999, "{:.2%}")),
        Row(
            line=LINE,
            work=f"{work}: largest difference of r where penalties are equal",
            figure=float(np.abs(answers[-1].test_r[0] - r)[same].max()),
            target=at_most(1e-5, "{:.1e}"),
        ),
    ]
