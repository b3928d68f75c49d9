"""From stimuli to moments of a course: what a layer's features are where the rows of a recording are moments.

What belongs here: the mean of a moment's stimuli, its delays, and the rows that were recorded. What does not: fitting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.sparse

from ..recording import Timeline
from ..regression.gram import CHUNK, Gram
from ..types import FeatureArray, FloatArray, IndexArray

Operator = scipy.sparse.csr_array
"""Weights, mostly none: features of rows = operator @ features of what is in its columns."""


def on_moments(layer: FeatureArray | Gram, timeline: Timeline) -> Gram:
    """The Gram matrix of the recording's rows: each the mean of its moment's stimuli, once for each delay.

    With K_m the inner products of moments and S_d what takes the moment d before each row, K_rows = Σ_d S_d K_m S_dᵀ;
    features times delays are never built. A moment without stimuli, and one before the start of its run, is 0 in
    features centred on the mean of all stimuli.
    """
    means, shifts = _means(timeline, len(layer)), _shifts(timeline)
    found = _of_gram(layer, means) if isinstance(layer, Gram) else _of_features(layer, means)
    K = sum((shift @ (shift @ found.K).T for shift in shifts), np.zeros((len(timeline.rows),) * 2))
    total, n_delays = sum(shifts[1:], shifts[0]), len(shifts)
    return Gram(
        K=(K + K.T) / 2,
        row_sums=total @ found.row_sums + n_delays * found.mean_sum,
        row_projections=total @ found.row_projections + n_delays * found.squared_mean,
        squared_mean=n_delays * found.squared_mean,
        distinct=_distinct(found.labels, [shift @ means for shift in shifts]),
        n_features=n_delays * found.n_features,
    )


def features_on_moments(features: FloatArray, timeline: Timeline) -> FloatArray:
    """Features of the recording's rows, (n_rows, n_delays · n_features), from those of stimuli.

    Features are centred on the mean of all stimuli first.
    """
    moments = _means(timeline, len(features)) @ (features - features.mean(axis=0))
    return np.hstack([shift @ moments for shift in _shifts(timeline)])


def stimuli_of_rows(timeline: Timeline, rows: IndexArray) -> IndexArray:
    """The stimuli of these rows' own moments, in rising order: what training rows have seen."""
    empty = np.array([], dtype=np.intp)
    return np.unique(np.concatenate([empty, *(timeline.stimuli[moment] for moment in timeline.rows[rows])]))


@dataclass(frozen=True, kw_only=True, eq=False)
class _Moments:
    """What a Gram matrix of moments is made of, as `Gram` has it but of features less their mean μ over stimuli.

    `mean_sum` is μ·1. `labels` (n_stimuli,) are equal where stimuli have equal features.
    """

    K: FloatArray
    row_sums: FloatArray
    row_projections: FloatArray
    squared_mean: float
    mean_sum: float
    labels: IndexArray
    n_features: int


def _of_gram(gram: Gram, means: Operator) -> _Moments:
    mean_sum = float(gram.row_sums.mean())
    return _Moments(
        K=means @ (means @ gram.K).T,
        row_sums=means @ (gram.row_sums - mean_sum),
        row_projections=means @ (gram.row_projections - gram.squared_mean),
        squared_mean=gram.squared_mean,
        mean_sum=mean_sum,
        labels=gram.distinct,
        n_features=gram.n_features,
    )


def _of_features(features: FeatureArray, means: Operator) -> _Moments:
    """Means first: moments are fewer than stimuli."""
    n_moments, n_features = means.shape[0], features.shape[1]
    K, row_sums, row_projections = np.zeros((n_moments, n_moments)), np.zeros(n_moments), np.zeros(n_moments)
    squared_mean = mean_sum = 0.0
    for start in range(0, n_features, CHUNK):
        block = features[:, start : start + CHUNK].astype(np.float64)
        mean = block.mean(axis=0)
        moments = means @ (block - mean)
        K += moments @ moments.T
        row_sums += moments.sum(axis=1)
        row_projections += moments @ mean
        squared_mean += float(mean @ mean)
        mean_sum += float(mean.sum())
    labels = np.unique(features + features.dtype.type(0), axis=0, return_inverse=True)[1]  # −0 becomes 0
    return _Moments(
        K=K,
        row_sums=row_sums,
        row_projections=row_projections,
        squared_mean=squared_mean,
        mean_sum=mean_sum,
        labels=labels.reshape(-1),
        n_features=n_features,
    )


def _means(timeline: Timeline, n_stimuli: int) -> Operator:
    """What gives the mean over each moment's stimuli, (n_moments, n_stimuli); zeros where it has none."""
    counts = np.array([len(own) for own in timeline.stimuli])
    weights = np.repeat(1 / np.maximum(counts, 1), counts)
    columns = np.concatenate([np.array([], dtype=np.intp), *timeline.stimuli])
    return Operator((weights, columns, np.concatenate([[0], np.cumsum(counts)])), shape=(len(counts), n_stimuli))


def _shifts(timeline: Timeline) -> list[Operator]:
    """For each delay what takes the moment that long before each row, (n_rows, n_moments); zeros before its run."""
    n_rows, n_moments = len(timeline.rows), len(timeline.runs)
    position, found = _position_in_run(timeline.runs)[timeline.rows], []
    for delay in timeline.delays:
        rows = np.flatnonzero(position >= delay)
        entries = (np.ones(len(rows)), (rows, timeline.rows[rows] - delay))
        found.append(Operator(entries, shape=(n_rows, n_moments)))
    return found


def _position_in_run(runs: tuple[str, ...]) -> IndexArray:
    position = [0]
    for before, run in pairwise(runs):
        position.append(position[-1] + 1 if run == before else 0)
    return np.array(position)


def _distinct(labels: IndexArray, operators: Sequence[Operator]) -> IndexArray:
    """Equal labels for rows that average stimuli of equal labels with equal weights in every delay."""
    n_labels = int(labels.max()) + 1
    if n_labels == 1:  # then all features are their own mean, and a moment without stimuli is like the others
        return np.zeros(operators[0].shape[0], dtype=np.intp)
    members = Operator((np.ones(len(labels)), labels, np.arange(len(labels) + 1)), shape=(len(labels), n_labels))
    weights = Operator(scipy.sparse.hstack([operator @ members for operator in operators]))
    weights.sum_duplicates()
    number_of: dict[tuple[bytes, bytes], int] = {}
    found = []
    for start, stop in pairwise(weights.indptr):
        key = (weights.indices[start:stop].tobytes(), np.round(weights.data[start:stop], 9).tobytes())
        found.append(number_of.setdefault(key, len(number_of)))
    return np.array(found, dtype=np.intp)
