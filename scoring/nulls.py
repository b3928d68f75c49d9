"""What a score would be if stimuli and responses had nothing to do with each other, from stored predictions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from .bootstrap import CHUNK, N_DRAWS, FoldRows, rows_of, train_deviations
from .metrics.part_fits import HeldOut
from .metrics.pooling import Blocks, blocks_of, by_row
from .protocols import Pooling
from .results import NullTest
from .types import FloatArray, IndexArray

COLUMNS = 1024
"""Units whose products of passages are held at one time."""

HIGH = 0.95


class NullKind(StrEnum):
    """What is broken up between responses and predictions."""

    PASSAGES = "passage-permutation"
    """Whole passages of equal length change places within each fold's test rows."""
    RUNS = "circular-shift"
    """The responses of each run turn round by a number of rows, each run by its own, any but 0."""


def null_test(
    parts: Sequence[HeldOut], pooling: Pooling, *, kind: NullKind, seed: int, n_draws: int = N_DRAWS
) -> NullTest | None:
    """The raw score against `n_draws` scores of the same predictions with responses permuted in each fold.

    Both permutations keep what lies within a passage or run together, and every response and prediction in its fold.
    p = (1 + #{draws ≥ score}) / (1 + n_draws). None where nothing can change its place: no two passages of equal
    length stand in one fold, no run has two rows. Shifts of a run are all scored, by products of Fourier transforms.
    """
    found = [_of_part(part, pooling, kind, seed=(seed, index), n_draws=n_draws) for index, part in enumerate(parts)]
    if not any(has_changed for _, has_changed in found):
        return None
    scores = np.mean([scores for scores, _ in found], axis=0)
    raw, null = scores[0], scores[1:]
    return NullTest(
        method=kind.value,
        n_draws=n_draws,
        mean=float(null.mean()),
        high=float(np.quantile(null, HIGH)),
        p=float((1 + (null >= raw).sum()) / (1 + n_draws)),
    )


def _of_part(
    part: HeldOut, pooling: Pooling, kind: NullKind, *, seed: tuple[int, int], n_draws: int
) -> tuple[FloatArray, bool]:
    """The part's score as it is and permuted, (1 + n_draws,), and whether anything could change its place."""
    data = part.data
    blocks, deviations = blocks_of(data.participants, pooling), train_deviations(data)
    scores, has_changed = np.zeros(1 + n_draws), False
    for index, fold in enumerate(data.folds):
        passages = np.unique([data.passages[row] for row in fold.test], return_inverse=True)[1]
        rows, rng = rows_of(part, index, deviations[index]), np.random.default_rng([*seed, index])
        if kind is NullKind.PASSAGES:
            found, fold_has_changed = _permuted(rows, passages, blocks, pooling, rng=rng, n_draws=n_draws)
        else:
            found, fold_has_changed = _shifted(rows, passages, blocks, pooling, rng=rng, n_draws=n_draws)
        scores += found / len(data.folds)
        has_changed |= fold_has_changed
    return scores, has_changed


def _permuted(
    rows: FoldRows,
    passages: IndexArray,
    blocks: Blocks,
    pooling: Pooling,
    *,
    rng: np.random.Generator,
    n_draws: int,
) -> tuple[FloatArray, bool]:
    """The fold's score as it is and with passages of equal length permuted, and whether there are any.

    With B[c, d] = Σ y_c p_d / n over the rows of passages c and d, r of a permutation π is Σ_d B[π(d), d].
    """
    groups = list(_by_length(passages).values())
    orders = [_orders(len(members), rng, n_draws) for members in groups]
    r = np.zeros((1 + n_draws, rows.Y.shape[1]), dtype=np.float32)
    for start in range(0, r.shape[1], COLUMNS):
        own = slice(start, start + COLUMNS)
        Y, P = rows.Y[:, own].astype(np.float32), rows.P[:, own].astype(np.float32) / np.float32(len(rows.Y))
        for members, order in zip(groups, orders, strict=True):
            indices = np.array(members)
            products = np.einsum("clu,dlu->dcu", Y[indices], P[indices], optimize=False)
            r[:, own] += _chosen(order) @ products.reshape(len(members) ** 2, -1)
    return by_row(rows.of_constants(r), blocks, pooling), any(len(members) > 1 for members in groups)


def _by_length(passages: IndexArray) -> dict[int, list[IndexArray]]:
    """The rows of each passage, under its length."""
    groups: dict[int, list[IndexArray]] = defaultdict(list)
    for passage in range(int(passages.max()) + 1):
        members = np.flatnonzero(passages == passage)
        groups[len(members)].append(members)
    return groups


def _orders(n: int, rng: np.random.Generator, n_draws: int) -> IndexArray:
    """The order as it is, then permutations of n, (1 + n_draws, n)."""
    return np.concatenate([[np.arange(n)], rng.permuted(np.tile(np.arange(n), (n_draws, 1)), axis=1)])


def _chosen(order: IndexArray) -> NDArray[np.float32]:
    """Which of the n² pairs (place, passage) each order holds, as 0 and 1: (n_orders, n²)."""
    n_orders, n = order.shape
    chosen = np.zeros((n_orders, n, n), dtype=np.float32)
    chosen[np.arange(n_orders)[:, None], np.arange(n), order] = 1
    return chosen.reshape(n_orders, n * n)


def _shifted(
    rows: FoldRows,
    runs: IndexArray,
    blocks: Blocks,
    pooling: Pooling,
    *,
    rng: np.random.Generator,
    n_draws: int,
) -> tuple[FloatArray, bool]:
    """The fold's score as it is and with each run turned by a random shift, and whether a run has two rows.

    Products of all shifts of a run are irfft(rfft(y) · conj(rfft(p))); r sums those of the fold's runs.
    """
    members = [np.flatnonzero(runs == run) for run in range(int(runs.max()) + 1)]
    shifts = np.zeros((1 + n_draws, len(members)), dtype=np.intp)
    for run, own in enumerate(members):
        shifts[1:, run] = rng.integers(1, len(own), size=n_draws) if len(own) > 1 else 0
    distinct, which = np.unique(shifts, axis=0, return_inverse=True)
    products = [_of_all_shifts(rows.Y[own], rows.P[own], n_rows=len(runs)) for own in members]
    found, step = np.empty(len(distinct)), max(1, CHUNK // rows.Y.shape[1])
    for start in range(0, len(distinct), step):
        turns = distinct[start : start + step]
        r = np.sum([of_run[turns[:, run]] for run, of_run in enumerate(products)], axis=0)
        found[start : start + step] = by_row(rows.of_constants(r), blocks, pooling)
    return found[which.ravel()], any(len(own) > 1 for own in members)


def _of_all_shifts(Y: FloatArray, P: FloatArray, *, n_rows: int) -> NDArray[np.floating[Any]]:
    """Σ y(t − s) p(t) / n_rows for each shift s of a run, in its circle: (n_run, n_units) float32."""
    y, p = (scipy.fft.rfft(values.astype(np.float32), axis=0) for values in (Y, P))
    return np.asarray(scipy.fft.irfft(np.conj(y) * p, n=len(Y), axis=0) / np.float32(n_rows))
