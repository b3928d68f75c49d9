"""How well word surprisal accounts for reading times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import NumericalFailure
from ..responses import SurprisalKind, Surprisals
from ..results import NOT_COMPARABLE, Counts, Interval, ScoreWarning
from ..types import FloatArray, IndexArray, ReadingTimes, Stimuli
from ..uncertainty import jackknife_correlation
from .correlation import pearson
from .outcome import Outcome


def correlate_reading_times(
    surprisals: Surprisals | None, times: ReadingTimes, stimuli: Stimuli, *, alignment: str, word_probability: str
) -> Outcome:
    """Signed Pearson r of surprisal in bits with mean reading times, under both alignments and both word rules.

    `alignment` (published, realigned) and `word_probability` (boundary, sum) say which of the four is the raw score;
    where the vocabulary allows no boundary rule it is `sum`, with a warning. The measures hold all of them, those of
    plain sums with the suffix `_sum`, and word length in characters, because raw r mostly tracks it.
    """
    if surprisals is None:
        raise NumericalFailure("the subject gave no surprisals")
    lengths = np.array([len(word) for word in stimuli.texts], dtype=np.float64)
    aligned = {"published": times.published, "realigned": times.realigned}
    rule = "sum" if surprisals.boundary_bits is None else word_probability
    bits = surprisals.sum_bits if rule == "sum" or surprisals.boundary_bits is None else surprisals.boundary_bits
    rows = np.isfinite(bits) & np.isfinite(aligned[alignment])
    if rows.sum() < 3 or np.ptp(bits[rows]) == 0:
        raise NumericalFailure("fewer than three words have both a surprisal and a time, or all surprisals are equal")
    measures: dict[str, float] = {}
    for name, values in aligned.items():
        measures[f"pearson_{name}"] = pearson(bits, values)
        measures[f"pearson_{name}_sum"] = pearson(surprisals.sum_bits, values)
        measures[f"pearson_{name}_word_length"] = pearson(lengths, values)
    return Outcome(
        raw=measures[f"pearson_{alignment}"],
        interval=_interval(bits, aligned[alignment], stimuli.groups),
        n=_counts(rows, times),
        measures=measures
        | _perplexities(bits, surprisals.n_tokens)
        | {f"{name}_sum": value for name, value in _perplexities(surprisals.sum_bits, surprisals.n_tokens).items()}
        | _missing(bits, aligned),
        warnings=_warnings(surprisals, bits, asked=word_probability),
        word_probability=rule,
    )


def _interval(bits: FloatArray, values: FloatArray, stories: Sequence[str]) -> Interval | None:
    return jackknife_correlation(lambda rows: pearson(bits[rows], values[rows]), stories)


def _counts(rows: NDArray[np.bool_], times: ReadingTimes) -> Counts:
    return Counts(stimuli=int(rows.sum()), participants=times.n_participants, units=1, valid_units=1, folds=0)


def _perplexities(bits: FloatArray, n_tokens: IndexArray) -> dict[str, float]:
    """Mean surprisal and perplexities; none by token where it is not known of how many tokens a word was made."""
    scored = np.isfinite(bits)
    found = {
        "surprisal_bits_mean": float(bits[scored].mean()),
        "perplexity_word": float(2 ** bits[scored].mean()),
    }
    if (n_tokens[scored] > 0).all():
        found["perplexity_token"] = float(2 ** (bits[scored].sum() / n_tokens[scored].sum()))
    return found


def _missing(bits: FloatArray, aligned: dict[str, FloatArray]) -> dict[str, float]:
    counts = {f"n_without_time_{name}": float(np.isnan(values).sum()) for name, values in aligned.items()}
    return {"n_without_surprisal": float(np.isnan(bits).sum()), **counts}


def _warnings(surprisals: Surprisals, bits: FloatArray, *, asked: str) -> tuple[ScoreWarning, ...]:
    found = []
    n_missing = int(np.isnan(bits).sum())
    if n_missing:
        detail = f"{n_missing} words have no probability and are left out"
        found.append(ScoreWarning(code="surprisal_missing", detail=detail))
    if asked == "boundary" and surprisals.boundary_bits is None:
        detail = f"word probabilities are plain sums: {surprisals.boundary_reason}"
        found.append(ScoreWarning(code="boundary_not_applicable", detail=detail))
    if surprisals.kind in (SurprisalKind.SEQ2SEQ, SurprisalKind.PSEUDO_LOG_LIKELIHOOD):
        detail = f"surprisals are of the kind {surprisals.kind}, which is not ranked with causal ones"
        found.append(ScoreWarning(code=NOT_COMPARABLE, detail=detail))
    if surprisals.kind is SurprisalKind.IMPORTED:
        detail = "surprisals were brought as a file; how they were made is the bringer's word"
        found.append(ScoreWarning(code="imported", detail=detail))
    return tuple(found)
