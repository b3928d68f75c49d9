"""P2: ridge with a penalty for each unit, chosen by leaving each other fold out, against himalaya's KernelRidgeCV."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from scoring.regression.encode import EncodingFit, cross_val_encode
from scoring.regression.folds import Fold
from scoring.regression.rules import NESTED_RIDGE
from scoring.types import FloatArray

from . import memory, recordings, ridge_peers, timing
from .table import Row, at_least, at_most

LINE = "P2"
N_FEATURES = 4096
EVERY = 40
"""One unit of so many is fitted in float64 as well."""


def measure() -> list[Row]:
    """Time of both, memory of both, and how far r is from float64."""
    X = recordings.features(recordings.N_ROWS, N_FEATURES, seed=2)
    Y = recordings.responses(X, recordings.N_UNITS, seed=2)
    return [*compare(recordings.gram(X), Y, recordings.folds(), n_rounds=timing.N_ROUNDS), _memory()]


def compare(K: FloatArray, Y: FloatArray, folds: list[Fold], *, n_rounds: int) -> list[Row]:
    """The rows on time and answers. The peer tells penalties and test r; ours also the r of inner folds if asked."""
    answers: list[EncodingFit] = []
    ours_s, more_s, peer_s = timing.seconds_in_turns(
        lambda: answers.append(cross_val_encode(K, Y, folds, NESTED_RIDGE)),
        lambda: cross_val_encode(K, Y, folds, NESTED_RIDGE, with_inner_r=True),
        lambda: [peer(K, Y, folds, fold) for fold in folds],
        n_rounds=n_rounds,
    )
    exact = cross_val_encode(K, Y[:, ::EVERY], folds, NESTED_RIDGE, is_double=True)
    n, n_units = Y.shape
    work = f"nested ridge, {n} rows, {n_units:,} units, {len(folds)} folds; peer: himalaya, the same inner folds"
    return [
        faster(LINE, work, ours_s, peer_s, floor=5),
        faster(LINE, "the same, ours with the r of inner folds, by which layers are chosen", more_s, peer_s, floor=4),
        Row(
            line=LINE,
            work=f"largest difference of r from float64, every {EVERY}th unit",
            figure=float(np.abs(answers[-1].test_r[:, ::EVERY] - exact.test_r).max()),
            target=at_most(1e-4, "{:.1e}"),
        ),
    ]


def faster(line: str, work: str, ours_s: float, peer_s: float, *, floor: float) -> Row:
    """The row on how many times the peer's time is ours."""
    target = at_least(floor, "{:.1f}×")
    return Row(
        line=line, work=work, ours=f"{ours_s:.2f} s", peer=f"{peer_s:.2f} s", figure=peer_s / ours_s, target=target
    )


def peer(K: FloatArray, Y: FloatArray, folds: list[Fold], fold: Fold) -> object:
    """One outer fold by himalaya."""
    return ridge_peers.kernel_ridge_cv(K, Y, fold, recordings.penalties(K), inner=folds)


def prepare_ours(_: str) -> Callable[[], object]:
    """The whole fit, with all that can be asked of it."""
    K, Y, folds = _inputs()
    return lambda: cross_val_encode(K, Y, folds, NESTED_RIDGE, with_inner_r=True)


def prepare_peer(_: str) -> Callable[[], object]:
    """One outer fold by himalaya; the others take the same memory again."""
    K, Y, folds = _inputs()
    return partial(peer, K, Y, folds, folds[0])


def _inputs() -> tuple[FloatArray, FloatArray, list[Fold]]:
    X = recordings.features(recordings.N_ROWS, N_FEATURES, seed=2)
    return recordings.gram(X), recordings.responses(X, recordings.N_UNITS, seed=2), recordings.folds()


def _memory() -> Row:
    work, target = "peak memory of the fit; peer: one outer fold", at_most(1, "{:.2f}×")
    if memory.measured_device() is None:
        return Row(line=LINE, work=work, figure=None, target=target, ours="this system does not tell peaks")
    ours, peers = memory.peak_of(prepare_ours, "cpu"), memory.peak_of(prepare_peer, "cpu")
    return Row(
        line=LINE, work=work, ours=memory.shown(ours), peer=memory.shown(peers), figure=ours / peers, target=target
    )
