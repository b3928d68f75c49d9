"""Measures that compare how alike stimuli are to a subject and to participants; nothing is fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..recording import Timeline
from ..regression.folds import Fold
from ..regression.gram import Gram
from ..regression.parallel import side_by_side
from ..types import FeatureArray, FloatArray, IndexArray
from .cka import aligned, aligned_debiased
from .part_fits import Layers, PartData, rows_gram
from .rsa import Pairs, pairs_of, ranked, row_correlations

MAX_PAIRS = 40_000
"""Pairs of training rows by which layers are compared: rank correlations are known to about .005 then."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Likeness:
    """How alike the rows of a part are to one system: inner products and Pearson r between them, (n_rows, n_rows)."""

    inner: FloatArray
    correlations: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Rows:
    """The rows of a part that are looked at, all pairs of them, and those between passages."""

    rows: IndexArray
    pairs: Pairs
    pairs_between: Pairs


View = Callable[[Likeness, Rows], FloatArray]
"""A vector of length 1; the product of a layer's and a participant's is the measure, NaN where it is undefined."""

VIEWS: Mapping[str, View] = {
    "cka": lambda likeness, at: aligned(likeness.inner[np.ix_(at.rows, at.rows)]),
    "cka_debiased": lambda likeness, at: aligned_debiased(likeness.inner[np.ix_(at.rows, at.rows)]),
    "rsa": lambda likeness, at: ranked(likeness.correlations, at.pairs),
    "rsa_between_passages": lambda likeness, at: ranked(likeness.correlations, at.pairs_between),
}


def representational_measures(
    layers: Layers, parts: Sequence[PartData], timeline: Timeline | None = None
) -> dict[str, float]:
    """`cka`, `cka_debiased`, `rsa` and `rsa_between_passages` of a subject's layers with a recording.

    In each part and fold the layer with the highest value on the training rows counts (ties the shallower), by its
    value on the test rows: the mean over participants, folds and parts. Each participant's units are taken together.
    A layer that does not vary is left out, and so is a measure that some fold has not (no two passages in it, no
    participant with two units). `layers` are features (n_stimuli, n_features) or Gram, in order of depth; a
    thread holds one layer's matrices at a time.
    """
    places = [[_places(fold, np.asarray(part.passages)) for fold in part.folds] for part in parts]
    responses = [_of_participants(part, own) for part, own in zip(parts, places, strict=True)]

    def of_layer(layer: FeatureArray | Gram) -> list[FloatArray]:
        gram = rows_gram(layer, timeline)
        correlations = gram.row_correlations()
        return [
            _of_layer(gram, correlations, part.rows, own, expected)
            for part, own, expected in zip(parts, places, responses, strict=True)
        ]

    n_responses = max(part.Y.size for part in parts)
    by_layer = side_by_side(of_layer, list(layers.values()), n_responses=n_responses)
    by_part = [_chosen(np.stack(values)) for values in zip(*by_layer, strict=True)]
    means = np.mean(by_part, axis=0)
    return {name: float(mean) for name, mean in zip(VIEWS, means, strict=True) if np.isfinite(mean)}


def _places(fold: Fold, passages: NDArray[np.str_]) -> tuple[Rows, Rows]:
    """The training rows, with no more pairs than layers need to be compared, and the test rows."""
    train, test = (
        Rows(rows=rows, pairs=pairs_of(rows), pairs_between=pairs_of(rows, passages))
        for rows in (fold.train, fold.test)
    )
    return Rows(rows=train.rows, pairs=_some(train.pairs), pairs_between=_some(train.pairs_between)), test


def _some(pairs: Pairs) -> Pairs:
    n_pairs = len(pairs[0])
    if n_pairs <= MAX_PAIRS:
        return pairs
    kept = np.sort(np.random.default_rng(0).choice(n_pairs, MAX_PAIRS, replace=False))
    return pairs[0][kept], pairs[1][kept]


def _of_participants(part: PartData, places: Sequence[tuple[Rows, Rows]]) -> list[list[NDArray[np.float32]]]:
    """For each fold the mean over participants of each view of training and of test rows: a product with it is the
    mean of their products. All NaN where no participant has the view."""
    owners = part.owners
    likenesses = [_of_responses(part.Y[:, owners == one]) for one in np.unique(owners)]
    return [[_mean([view(one, at) for one in likenesses]) for view in VIEWS.values() for at in own] for own in places]


def _of_responses(Y: FloatArray) -> Likeness:
    deviations = Y - Y.mean(axis=0)
    return Likeness(inner=deviations @ deviations.T, correlations=row_correlations(Y))


def _mean(vectors: Sequence[FloatArray]) -> NDArray[np.float32]:
    defined = [vector for vector in vectors if len(vector) and np.isfinite(vector).all()]
    mean = np.mean(defined, axis=0) if defined else np.full(len(vectors[0]), np.nan)
    return np.asarray(mean, dtype=np.float32)


def _of_layer(
    gram: Gram,
    correlations: FloatArray,
    rows: IndexArray,
    places: Sequence[tuple[Rows, Rows]],
    responses: Sequence[Sequence[NDArray[np.float32]]],
) -> FloatArray:
    """A layer's values in one part, (n_folds, n_views, 2): on training rows and on test rows, NaN where undefined."""
    found = np.full((len(places), len(VIEWS), 2), np.nan)
    if gram.is_constant(rows):
        return found
    likeness = Likeness(inner=gram.K[np.ix_(rows, rows)], correlations=correlations[np.ix_(rows, rows)])
    for index, (own, expected) in enumerate(zip(places, responses, strict=True)):
        views = [view(likeness, at) for view in VIEWS.values() for at in own]
        products = [view @ mean if len(view) else np.nan for view, mean in zip(views, expected, strict=True)]
        found[index] = np.array(products).reshape(len(VIEWS), 2)
    return found


def _chosen(values: FloatArray) -> FloatArray:
    """From values (n_layers, n_folds, n_views, 2) the mean over folds of the test value of the layer chosen on the
    training rows, (n_views,); NaN where a fold has no layer with both."""
    is_defined = np.isfinite(values).all(axis=-1)
    best = np.argmax(np.where(is_defined, values[..., 0], -np.inf), axis=0)
    tested = np.where(is_defined, values[..., 1], np.nan)
    return np.asarray(np.take_along_axis(tested, best[None], axis=0)[0].mean(axis=0))
