"""P4: generalised cross-validation for 33 layers, against five inner folds of himalaya and against its own limit."""

from __future__ import annotations

from dataclasses import replace

import torch

from scoring.regression.encode import cross_val_encode
from scoring.regression.folds import Fold
from scoring.regression.rules import NESTED_RIDGE, Selection
from scoring.types import FloatArray

from . import recordings, ridge_peers, timing
from .table import Row, at_least, at_most

LINE = "P4"
GENERALISED = replace(NESTED_RIDGE, selection=Selection.GENERALISED)
N_LAYERS, N_MEASURED, N_FEATURES = 33, 3, 4096
N_INNER = 5


def measure() -> list[Row]:
    """Time of both and the share of ours that its operations need."""
    layers = [recordings.features(recordings.N_ROWS, N_FEATURES, seed=seed) for seed in range(N_MEASURED)]
    Y = recordings.responses(layers[0], recordings.N_UNITS, seed=4)
    return compare([recordings.gram(X) for X in layers], Y, recordings.folds(), n_rounds=timing.N_ROUNDS)


def compare(layers: list[FloatArray], Y: FloatArray, folds: list[Fold], *, n_rounds: int) -> list[Row]:
    """The rows for some layers, told for 33; the peer fits one fold of one layer."""
    n_rows, n_units = Y.shape
    single, double = [(n_rows, n_rows, n_units)], [(n_rows, n_rows, n_rows)]
    ours_s, fold_s, single_s, double_s = timing.seconds_in_turns(
        lambda: [cross_val_encode(K, Y, folds, GENERALISED) for K in layers],
        lambda: ridge_peers.kernel_ridge_cv(layers[0], Y, folds[0], recordings.penalties(layers[0]), inner=N_INNER),
        timing.matrix_products(single, dtype=torch.float32, device=torch.device("cpu"), n_times=2),
        timing.matrix_products(double, dtype=torch.float64, device=torch.device("cpu"), n_times=10),
        n_rounds=n_rounds,
    )
    ours_s, peer_s = ours_s * N_LAYERS / len(layers), fold_s * len(folds) * N_LAYERS
    single_rate = timing.flop_of_products(single, n_times=2) / single_s
    double_rate = timing.flop_of_products(double, n_times=10) / double_s
    limit_s = N_LAYERS * sum(_seconds(fold, n_units, single_rate, double_rate) for fold in folds)
    work = f"generalised cross-validation, {N_LAYERS} layers"
    return [
        Row(
            line=LINE,
            work=f"{work} (from {len(layers)}); peer: himalaya, {N_INNER} inner folds, one fold of one layer scaled up",
            ours=f"{ours_s:.1f} s",
            peer=f"{peer_s:.0f} s",
            figure=peer_s / ours_s,
            target=at_least(20, "{:.0f}×"),
        ),
        Row(
            line=LINE,
            work=f"{work}: time in that of its operations at the measured rates of matrix products",
            ours=f"{ours_s:.1f} s",
            peer=f"{limit_s:.1f} s",
            figure=ours_s / limit_s,
            target=at_most(1.5, "{:.2f}×"),
        ),
    ]


def _seconds(fold: Fold, n_units: int, single_rate: float, double_rate: float) -> float:
    """Seconds of one fold: float32 products with units, and in float64 9 n³ of a decomposition and 20 small maps."""
    n_train, n_test, n_penalties = len(fold.train), len(fold.test), 20
    of_units = 2 * n_units * n_train * (n_train + n_test)
    of_errors = 2 * n_units * n_train * n_penalties
    of_maps = 2 * n_test * n_train**2 * (n_penalties + 1)
    return of_units / single_rate + (9 * n_train**3 + of_maps + of_errors) / double_rate
