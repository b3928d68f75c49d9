"""How much better reading times are predicted with surprisal than without: likelihood of words held out (ΔLL).

What belongs here: measures beyond words' length, frequency and place. What does not: raw correlations.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..types import FloatArray
from .correlation import pearson
from .words import Words

N_FREQUENCY_BINS = 5
"""Fifths of the words by frequency, the rarest first."""

MINIMUM_STORIES = 3
"""With fewer stories none is left out."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictors:
    """What reading times are predicted from, (n_words, n_predictors) each, NaN where a word has no two before it.

    `short` are length and log frequency of a word and the two before; `base` has beside them its place in story and
    sentence, and whether it and the word before end a sentence or end in punctuation.
    """

    short: FloatArray
    base: FloatArray

    @classmethod
    def of(cls, words: Words) -> Predictors | None:
        """The predictors of words; None where frequencies are not known."""
        if words.log_frequency is None:
            return None
        short = np.hstack([words.with_two_before(words.length), words.with_two_before(words.log_frequency)])
        places = np.stack([words.zone, np.log(words.zone), words.position], axis=1)
        ends = [flags.astype(np.float64) for flags in (words.ends_sentence, words.ends_in_punctuation)]
        ends = [values for flags in ends for values in (flags, words.before(flags, 1))]
        return cls(short=short, base=np.hstack([short, places, np.stack(ends, axis=1)]))


def likelihood_measures(bits: FloatArray, times: FloatArray, words: Words, predictors: Predictors) -> dict[str, float]:
    """`partial`, `delta_ll`, `delta_ll_short` and `delta_ll_frequency_1` … `_5` of surprisals for one alignment.

    `bits` and `times` are (n_words,), NaN where there is none. ΔLL is left out where fewer than three stories have
    words, or too few words to fit all predictors.
    """
    surprisal = words.with_two_before(bits)
    found = {"partial": partial_correlation(bits, times, words)}
    whole = delta_ll(times, predictors.base, surprisal, words.stories)
    short = delta_ll(times, predictors.short, surprisal, words.stories)
    if whole is None or short is None:
        return found
    found |= {"delta_ll": float(np.nanmean(whole)), "delta_ll_short": float(np.nanmean(short))}
    return found | {
        f"delta_ll_frequency_{index}": float(value) for index, value in enumerate(_by_frequency(whole, words), start=1)
    }


def partial_correlation(bits: FloatArray, times: FloatArray, words: Words) -> float:
    """r of surprisals and times, both less what length and log frequency of a word and the one before explain."""
    assert words.log_frequency is not None, "predictors were made of it"
    known = (words.length, words.log_frequency)
    controls = np.stack([values for one in known for values in (one, words.before(one, 1))], axis=1)
    rows = np.isfinite(controls).all(axis=1) & np.isfinite(bits) & np.isfinite(times)
    design = _with_intercept(controls[rows])
    return pearson(_residuals(design, bits[rows]), _residuals(design, times[rows]))


def delta_ll(times: FloatArray, base: FloatArray, added: FloatArray, stories: NDArray[np.intp]) -> FloatArray | None:
    """For each word the log-likelihood of its time with `added` predictors less that without, in nats, (n_words,).

    Each story is left out in turn; both regressions are fitted by least squares to the others, and a normal
    distribution has the mean squared residual of these as its variance. NaN for words without a time or a predictor.
    None where fewer than three stories have words, or a story's others are no more than the predictors.
    """
    rows = np.isfinite(times) & np.isfinite(base).all(axis=1) & np.isfinite(added).all(axis=1)
    names = np.unique(stories[rows])
    full = np.hstack([base, added])
    if len(names) < MINIMUM_STORIES:
        return None
    found = np.full(len(times), np.nan)
    for name in names:
        test, train = rows & (stories == name), rows & (stories != name)
        if train.sum() <= full.shape[1] + 1:
            return None
        found[test] = _held_out(times, full, train, test) - _held_out(times, base, train, test)
    return found


def _held_out(
    times: FloatArray, predictors: FloatArray, train: NDArray[np.bool_], test: NDArray[np.bool_]
) -> FloatArray:
    """Log-likelihoods of the test words, (n_test,)."""
    mean, deviation = predictors[train].mean(axis=0), predictors[train].std(axis=0)
    scaled = _with_intercept((predictors - mean) / np.where(deviation > 0, deviation, 1.0))
    coefficients, *_ = np.linalg.lstsq(scaled[train], times[train])
    residuals = times - scaled @ coefficients
    variance = float(np.mean(residuals[train] ** 2))
    return np.asarray(-0.5 * (np.log(2 * np.pi * variance) + residuals[test] ** 2 / variance))


def _residuals(design: FloatArray, values: FloatArray) -> FloatArray:
    coefficients, *_ = np.linalg.lstsq(design, values)
    return np.asarray(values - design @ coefficients)


def _with_intercept(predictors: FloatArray) -> FloatArray:
    return np.hstack([np.ones((len(predictors), 1)), predictors])


def _by_frequency(values: FloatArray, words: Words) -> FloatArray:
    """Means over fifths of the words by log frequency, the rarest first; ties stand in reading order."""
    assert words.log_frequency is not None, "predictors were made of it"
    rows = np.flatnonzero(np.isfinite(values))
    order = rows[np.argsort(words.log_frequency[rows], kind="stable")]
    return np.array([values[fifth].mean() for fifth in np.array_split(order, N_FREQUENCY_BINS)])
