"""P3: the nested ridge of P2 for 33 layers, against himalaya, and that layers and features cost no memory."""

from __future__ import annotations

from collections.abc import Callable

from scoring.regression.encode import cross_val_encode
from scoring.regression.rules import NESTED_RIDGE
from scoring.types import FloatArray

from . import memory, p2_nested_ridge, recordings, timing
from .table import Row, at_most

LINE = "P3"
N_LAYERS, N_WIDE, N_NARROW = 33, 4096, 768
N_ROUNDS = 1
"""A round is 66 fits of ours, minutes long; one busy moment moves it little."""


def measure() -> list[Row]:
    """Time of both and peak memory of ours."""
    layers = [_layer(N_NARROW, seed) for seed in range(N_LAYERS)]
    X = recordings.features(recordings.N_ROWS, N_NARROW, seed=0)
    Y = recordings.responses(X, recordings.N_UNITS, seed=3)
    return [*compare(layers, Y, n_rounds=N_ROUNDS), *_memory()]


def compare(layers: list[FloatArray], Y: FloatArray, *, n_rounds: int) -> list[Row]:
    """The rows on time; the peer fits one layer, and its time counts for all."""
    folds = recordings.folds(len(Y))
    ours_s, more_s, layer_s = timing.seconds_in_turns(
        lambda: [cross_val_encode(K, Y, folds, NESTED_RIDGE).test_r.mean() for K in layers],
        lambda: [cross_val_encode(K, Y, folds, NESTED_RIDGE, with_inner_r=True).test_r.mean() for K in layers],
        lambda: [p2_nested_ridge.peer(layers[0], Y, folds, fold) for fold in folds],
        n_rounds=n_rounds,
    )
    peer_s = layer_s * len(layers)
    work = f"nested ridge of {len(layers)} layers; peer: himalaya, one layer × {len(layers)}"
    more = "the same, ours with the r of inner folds, by which layers are chosen"
    return [
        p2_nested_ridge.faster(LINE, work, ours_s, peer_s, floor=5),
        p2_nested_ridge.faster(LINE, more, more_s, peer_s, floor=4),
    ]


def prepare_one_narrow(_: str) -> Callable[[], object]:
    """One layer of few features."""
    return _prepared(1, N_NARROW)


def prepare_three_wide(_: str) -> Callable[[], object]:
    """Three layers of many features."""
    return _prepared(3, N_WIDE)


def _prepared(n_layers: int, n_features: int) -> Callable[[], object]:
    layers, folds = [_layer(n_features, seed) for seed in range(n_layers)], recordings.folds()
    X = recordings.features(recordings.N_ROWS, n_features, seed=0)
    Y = recordings.responses(X, recordings.N_UNITS, seed=3)
    return lambda: [cross_val_encode(K, Y, folds, NESTED_RIDGE, with_inner_r=True).test_r.mean() for K in layers]


def _layer(n_features: int, seed: int) -> FloatArray:
    return recordings.gram(recordings.features(recordings.N_ROWS, n_features, seed=seed))


def _memory() -> list[Row]:
    target, more = at_most(150, "{:.0f} MB"), at_most(15, "{:.0f} MB")
    work = f"peak memory, 3 layers of {N_WIDE:,} features"
    if memory.measured_device() is None:
        return [Row(line=LINE, work=work, figure=None, target=target, ours="this system does not tell peaks")]
    wide, narrow = memory.peak_of(prepare_three_wide, "cpu") / 1e6, memory.peak_of(prepare_one_narrow, "cpu") / 1e6
    return [
        Row(line=LINE, work=work, figure=wide, target=target),
        Row(line=LINE, work=f"{work}, beyond one of {N_NARROW}", figure=wide - narrow, target=more),
    ]
