"""How much better single readers' times are predicted with surprisal than without (ΔLL with readers as random effects).

What belongs here: which readings are kept, which predictors the two models have, what is held out. What does not: the
mixed model itself, and ΔLL of mean times.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from ..errors import NumericalFailure
from ..types import FloatArray, IndexArray, Readings
from .delta_likelihood import MINIMUM_STORIES, Predictors
from .mixed_model import ReaderSums, fit, log_likelihoods
from .words import Words

LIMITS_MS = (100.0, 3000.0)
"""Readings below or above are no reading: a slip of the finger, a pause."""

MINIMUM_READERS = 3
"""Fewer readers do not tell how readers differ."""


def mixed_measures(bits: FloatArray, readings: Readings, words: Words, predictors: Predictors) -> dict[str, float]:
    """`delta_ll_mixed` of log reading times, `delta_ll_mixed_ms` of times in milliseconds, and what was counted.

    The base model has the predictors `Predictors.base` and an intercept that differs between readers; the full model
    has beside them the surprisal of this word and the two before, `bits` (n_words,), NaN where there is none, and an
    effect of this word's surprisal that differs between readers, correlated with the intercept. Both are fitted by
    maximum likelihood to all stories but one; ΔLL is the mean over the readings of the stories so left out of their
    log-likelihood under the full model less that under the base model, in nats, where what is particular to a reader
    is integrated out: a reader of a new story counts as a new reader.

    `n_readings` is how many that are. Left out are `n_readings_outside` that took less than 100 or more than 3,000 ms,
    `n_readings_without_predictor` of words that lack a predictor, and `n_readers_left_out` with one reading left. ΔLL
    is absent where fewer than three stories or readers are left or too few readings to fit all predictors, and where a
    search does not converge: then `n_stories_unfitted`, or `n_stories_unfitted_ms`, says for how many stories.
    """
    design = np.hstack([np.ones((len(bits), 1)), predictors.base, words.with_two_before(bits)])
    kept, counts = _kept(readings, design)
    times_ms, n_base = readings.times_ms[kept], 1 + predictors.base.shape[1]
    stories, readers = words.stories[readings.words[kept]], readings.readers[kept]
    if len(np.unique(stories)) < MINIMUM_STORIES or len(np.unique(readers)) < MINIMUM_READERS:
        return counts
    cells = _Cells.of(design, readings.words[kept], stories, readers)
    if (len(times_ms) - cells.sums.counts.sum(axis=1) <= design.shape[1] + 1).any():
        return counts
    return counts | _delta(cells, np.log(times_ms), n_base, suffix="") | _delta(cells, times_ms, n_base, suffix="_ms")


def held_out(sums: ReaderSums, n_base: int) -> FloatArray:
    """Log-likelihoods of each story under the models of the others: (n_stories, n_readers, 2), base and full, in nats.

    `sums` have stories on their first axis; the first `n_base` columns are those of the base model, the one after them
    is this word's surprisal. Stories that could not be fitted are NaN.
    """
    n_stories, n_readers = sums.yy.shape
    found = np.full((n_stories, n_readers, 2), np.nan)
    for story in range(n_stories):
        train = sums.without(story)
        T = train.standardising()
        train, test = train.transformed(T), sums.at(story).transformed(T)
        try:
            base = fit(train.first_columns(n_base), (0,))
            full = fit(train, (0, n_base))
        except NumericalFailure:
            continue
        found[story, :, 0] = log_likelihoods(base, test.first_columns(n_base))
        found[story, :, 1] = log_likelihoods(full, test)
    return found


@dataclass(frozen=True, kw_only=True, eq=False)
class _Cells:
    """Readings by story and reader: which words each cell holds, and sums of everything but the times.

    `cell` numbers each reading's story and reader, `words` its word, (n_readings,) each.
    """

    design: FloatArray
    words: IndexArray
    cell: IndexArray
    sums: ReaderSums

    @classmethod
    def of(cls, design: FloatArray, words: IndexArray, stories: IndexArray, readers: IndexArray) -> _Cells:
        """The cells of readings; products are summed over words, of which there are far fewer than readings."""
        (_, story), (_, reader) = (np.unique(labels, return_inverse=True) for labels in (stories, readers))
        shape = (int(story.max()) + 1, int(reader.max()) + 1)
        cell = story * shape[1] + reader
        known = np.where(np.isfinite(design).all(axis=1, keepdims=True), design, 0.0)
        n_words, n_columns = known.shape
        products = (known[:, :, None] * known[:, None, :]).reshape(n_words, -1)
        summed = _incidence(np.ones(len(words)), cell, words, (shape[0] * shape[1], n_words)) @ products
        empty = ReaderSums(
            XX=summed.reshape(*shape, n_columns, n_columns), Xy=np.zeros((*shape, n_columns)), yy=np.zeros(shape)
        )
        return cls(design=known, words=words, cell=cell, sums=empty)

    def with_times(self, times: FloatArray) -> ReaderSums:
        """The sums with those of the times, (n_readings,)."""
        shape = self.sums.yy.shape
        n_cells = shape[0] * shape[1]
        Xy = _incidence(times, self.cell, self.words, (n_cells, len(self.design))) @ self.design
        yy = np.bincount(self.cell, weights=times**2, minlength=n_cells)
        return replace(self.sums, Xy=Xy.reshape(*shape, -1), yy=np.asarray(yy, dtype=np.float64).reshape(shape))


def _incidence(
    values: FloatArray, cell: IndexArray, words: IndexArray, shape: tuple[int, int]
) -> scipy.sparse.csr_array:
    return scipy.sparse.csr_array((values, (cell, words)), shape=shape)


def _kept(readings: Readings, design: FloatArray) -> tuple[NDArray[np.bool_], dict[str, float]]:
    """Which readings are kept, (n_readings,), and how many are and are not."""
    outside = (readings.times_ms < LIMITS_MS[0]) | (readings.times_ms > LIMITS_MS[1])
    is_known = np.asarray(np.isfinite(design).all(axis=1))
    unknown = ~outside & ~is_known[readings.words]
    kept = ~outside & ~unknown
    n_by_reader = np.bincount(readings.readers[kept], minlength=readings.readers.max(initial=-1) + 1)
    n_readers = len(np.unique(readings.readers))
    kept &= n_by_reader[readings.readers] > 1
    return kept, {
        "n_readings": float(kept.sum()),
        "n_readings_outside": float(outside.sum()),
        "n_readings_without_predictor": float(unknown.sum()),
        "n_readers_left_out": float(n_readers - len(np.unique(readings.readers[kept]))),
    }


def _delta(cells: _Cells, times: FloatArray, n_base: int, *, suffix: str) -> dict[str, float]:
    """ΔLL of times, or for how many stories there is none; the times' mean is taken off, which no ΔLL notices."""
    sums = cells.with_times(times - times.mean())
    both = held_out(sums, n_base)
    n_unfitted = int(np.isnan(both).any(axis=(1, 2)).sum())
    if n_unfitted:
        return {f"n_stories_unfitted{suffix}": float(n_unfitted)}
    return {f"delta_ll_mixed{suffix}": float((both[..., 1] - both[..., 0]).sum() / len(times))}
