"""How well word surprisal accounts for reading times."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import NumericalFailure
from ..types import Counts, FloatArray, IndexArray, Interval, ReadingTimes, Responses, ScoreWarning, Stimuli
from ..uncertainty import jackknife_correlation
from .correlation import pearson
from .outcome import Outcome

METRIC = "pearson"


def correlate_reading_times(responses: Responses, times: ReadingTimes, stimuli: Stimuli, *, alignment: str) -> Outcome:
    """Signed Pearson r of surprisal in bits with mean reading times, under both alignments of the times.

    `alignment` (published or realigned) says which of the two is the raw score; the measures hold both, and word
    length in characters beside them, because raw r mostly tracks it. Surprisals are plain sums over tokens.
    """
    bits, n_tokens = responses.surprisal_bits, responses.n_tokens
    if bits is None or n_tokens is None:
        raise NumericalFailure("the subject gave no surprisals")
    lengths = np.array([len(word) for word in stimuli.texts], dtype=np.float64)
    aligned = {"published": times.published, "realigned": times.realigned}
    rows = np.isfinite(bits) & np.isfinite(aligned[alignment])
    if rows.sum() < 3 or np.ptp(bits[rows]) == 0:
        raise NumericalFailure("fewer than three words have both a surprisal and a time, or all surprisals are equal")
    measures: dict[str, float] = {}
    for name, values in aligned.items():
        r = pearson(bits, values)
        measures |= {f"pearson_{name}": r, f"pearson_{name}_sum": r}
        measures[f"pearson_{name}_word_length"] = pearson(lengths, values)
    return Outcome(
        raw=measures[f"pearson_{alignment}"],
        interval=_interval(bits, aligned[alignment], stimuli.groups),
        n=_counts(rows, times),
        measures=measures | _perplexities(bits, n_tokens) | _missing(bits, aligned),
        warnings=_warnings(bits),
    )


def _interval(bits: FloatArray, values: FloatArray, stories: Sequence[str]) -> Interval | None:
    return jackknife_correlation(lambda rows: pearson(bits[rows], values[rows]), stories)


def _counts(rows: NDArray[np.bool_], times: ReadingTimes) -> Counts:
    return Counts(stimuli=int(rows.sum()), participants=times.n_participants, units=1, valid_units=1, folds=0)


def _perplexities(bits: FloatArray, n_tokens: IndexArray) -> dict[str, float]:
    scored = np.isfinite(bits)
    return {
        "surprisal_bits_mean": float(bits[scored].mean()),
        "perplexity_word": float(2 ** bits[scored].mean()),
        "perplexity_token": float(2 ** (bits[scored].sum() / n_tokens[scored].sum())),
    }


def _missing(bits: FloatArray, aligned: dict[str, FloatArray]) -> dict[str, float]:
    counts = {f"n_without_time_{name}": float(np.isnan(values).sum()) for name, values in aligned.items()}
    return {"n_without_surprisal": float(np.isnan(bits).sum()), **counts}


def _warnings(bits: FloatArray) -> tuple[ScoreWarning, ...]:
    n_missing = int(np.isnan(bits).sum())
    if not n_missing:
        return ()
    return (ScoreWarning(code="surprisal_missing", detail=f"{n_missing} words have no probability and are left out"),)
