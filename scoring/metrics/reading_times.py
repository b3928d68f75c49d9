"""How well word surprisal accounts for reading times."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ..errors import NumericalFailure
from ..protocols import ReadingRules
from ..responses import SurprisalKind, Surprisals
from ..results import NOT_COMPARABLE, Counts, ScoreWarning
from ..types import FloatArray, IndexArray, ReadingTimes, Stimuli
from ..uncertainty import jackknife_correlation
from .correlation import pearson
from .delta_likelihood import Predictors, likelihood_measures
from .mixed_likelihood import mixed_measures
from .outcome import Outcome
from .words import Words


def correlate_reading_times(
    surprisals: Surprisals | None, times: ReadingTimes, stimuli: Stimuli, rules: ReadingRules
) -> Outcome:
    """Pearson r of surprisal in bits with mean reading times, under both alignments and both word rules.

    `rules` say which of the four is the raw score; where the vocabulary allows no boundary rule it is `sum`, with a
    warning. The measures hold all of them with their sign, those of plain sums with the suffix `_sum`, and word length
    and log frequency, because raw r mostly tracks them; beside each r what surprisal explains beyond them
    (`likelihood_measures`), where frequencies are known, and the same of single readers' times (`mixed_measures`),
    where these are known.
    """
    if surprisals is None:
        raise NumericalFailure("the subject gave no surprisals")
    words, correlate = Words.of(stimuli, times.log_frequency), _correlation(rules)
    by_rule, dropped = bits_by_rule(surprisals, rules), dropped_words(words, rules)
    bits, aligned = by_rule[""], aligned_times(times)
    judged = np.where(dropped, np.nan, aligned[rules.times])
    rows = np.isfinite(bits) & np.isfinite(judged)
    if rows.sum() < 3 or np.ptp(bits[rows]) == 0:
        raise NumericalFailure("fewer than three words have both a surprisal and a time, or all surprisals are equal")
    measures = _correlations(by_rule, aligned, words, dropped)
    interval, reason = jackknife_correlation(lambda kept: correlate(bits[kept], judged[kept]), stimuli.groups)
    return Outcome(
        raw=correlate(bits, judged),
        interval=interval,
        interval_reason=reason,
        n=_counts(rows, times),
        measures=measures
        | _beyond(by_rule, aligned, words)
        | _by_reader(by_rule, times, words)
        | _all_perplexities(by_rule, surprisals.n_tokens)
        | _missing(bits, aligned, dropped),
        warnings=_warnings(surprisals, bits, rules, r=measures[f"pearson_{rules.times}"]),
        word_probability="sum" if surprisals.boundary_bits is None else rules.word_probability,
    )


def correlate_words(values: FloatArray, times: ReadingTimes, stimuli: Stimuli, rules: ReadingRules) -> Outcome:
    """As `correlate_reading_times`, of what is known of words, (n_words,), in the place of surprisal: r alone."""
    dropped, aligned = dropped_words(Words.of(stimuli, None), rules), aligned_times(times)
    correlate = _correlation(rules)
    judged = np.where(dropped, np.nan, aligned[rules.times])
    rows = np.isfinite(values) & np.isfinite(judged)
    if rows.sum() < 3 or np.ptp(values[rows]) == 0:
        raise NumericalFailure("fewer than three words have a time, or all words are equal")
    interval, reason = jackknife_correlation(lambda kept: correlate(values[kept], judged[kept]), stimuli.groups)
    return Outcome(
        raw=correlate(values, judged),
        interval=interval,
        interval_reason=reason,
        n=_counts(rows, times),
        measures={
            f"pearson_{name}": pearson(values, np.where(dropped, np.nan, each)) for name, each in aligned.items()
        },
        warnings=(),
    )


def _counts(rows: NDArray[np.bool_], times: ReadingTimes) -> Counts:
    return Counts(stimuli=int(rows.sum()), participants=times.n_participants, units=1, valid_units=1, folds=0)


def bits_by_rule(surprisals: Surprisals, rules: ReadingRules) -> dict[str, FloatArray]:
    """Surprisals as they are judged: under "" by the rule of the raw score, under "_sum" plain sums.

    In a stream of passages the first word has no probability.
    """
    by_rule = {"": _by_boundary(surprisals, rules), "_sum": surprisals.sum_bits}
    if not rules.is_stream:
        return by_rule
    return {suffix: np.concatenate([[np.nan], bits[1:]]) for suffix, bits in by_rule.items()}


def aligned_times(times: ReadingTimes) -> dict[str, FloatArray]:
    """Mean times by the name of their alignment."""
    return {"published": times.published, "realigned": times.realigned}


def dropped_words(words: Words, rules: ReadingRules) -> NDArray[np.bool_]:
    """The words that correlations leave out under the rules, (n_words,)."""
    return words.begins_sentence & rules.drops_sentence_starts


def _by_boundary(surprisals: Surprisals, rules: ReadingRules) -> FloatArray:
    """Surprisals by the rule that is asked for, or plain sums where that is all there is."""
    if rules.word_probability == "sum" or surprisals.boundary_bits is None:
        return surprisals.sum_bits
    return surprisals.boundary_bits


def _correlation(rules: ReadingRules) -> Callable[[FloatArray, FloatArray], float]:
    """What makes the raw score of surprisals and times."""
    return (lambda x, y: abs(pearson(x, y))) if rules.is_absolute else pearson


def _correlations(
    by_rule: Mapping[str, FloatArray], aligned: Mapping[str, FloatArray], words: Words, dropped: NDArray[np.bool_]
) -> dict[str, float]:
    """r with the times under each alignment: of surprisals by each rule, whose suffix is the key, and of known ones."""
    known = {"_word_length": words.length}
    if words.log_frequency is not None:
        known["_log_frequency"] = words.log_frequency
    return {
        f"pearson_{name}{suffix}": pearson(values, np.where(dropped, np.nan, times))
        for name, times in aligned.items()
        for suffix, values in {**by_rule, **known}.items()
    }


def _beyond(by_rule: Mapping[str, FloatArray], aligned: Mapping[str, FloatArray], words: Words) -> dict[str, float]:
    """What surprisal says of the times beyond words' length, frequency and place; nothing without frequencies."""
    predictors = Predictors.of(words)
    if predictors is None:
        return {}
    found: dict[str, float] = {}
    for name, times in aligned.items():
        measured = partial(likelihood_measures, times=times, words=words, predictors=predictors)
        found |= _by_each_rule(name, by_rule, measured)
    return found


def _by_reader(by_rule: Mapping[str, FloatArray], times: ReadingTimes, words: Words) -> dict[str, float]:
    """What surprisal says of single readers' times under each alignment that has them."""
    predictors = Predictors.of(words)
    if predictors is None:
        return {}
    found: dict[str, float] = {}
    for name, readings in times.readings.items():
        measured = partial(mixed_measures, readings=readings, words=words, predictors=predictors)
        found |= _by_each_rule(name, by_rule, measured)
    return found


def _by_each_rule(
    alignment: str, by_rule: Mapping[str, FloatArray], measured: Callable[[FloatArray], dict[str, float]]
) -> dict[str, float]:
    """Measures of surprisals by each rule, named after alignment and rule; rules that agree are measured once."""
    found: dict[str, float] = {}
    computed: list[tuple[FloatArray, dict[str, float]]] = []
    for suffix, bits in by_rule.items():
        measures = next((known for other, known in computed if np.array_equal(bits, other, equal_nan=True)), None)
        if measures is None:
            measures = measured(bits)
            computed.append((bits, measures))
        found |= {f"{measure}_{alignment}{suffix}": value for measure, value in measures.items()}
    return found


def _all_perplexities(by_rule: Mapping[str, FloatArray], n_tokens: IndexArray) -> dict[str, float]:
    """Those of surprisals by each rule, whose suffix is the key."""
    return {
        f"{name}{suffix}": value
        for suffix, bits in by_rule.items()
        for name, value in _perplexities(bits, n_tokens).items()
    }


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


def _missing(bits: FloatArray, aligned: Mapping[str, FloatArray], dropped: NDArray[np.bool_]) -> dict[str, float]:
    counts = {f"n_without_time_{name}": float(np.isnan(values).sum()) for name, values in aligned.items()}
    return {
        "n_without_surprisal": float(np.isnan(bits).sum()),
        "n_sentence_starts_dropped": float(dropped.sum()),
        **counts,
    }


def _warnings(surprisals: Surprisals, bits: FloatArray, rules: ReadingRules, *, r: float) -> tuple[ScoreWarning, ...]:
    found = []
    n_missing = int(np.isnan(bits).sum()) - rules.is_stream
    if n_missing:
        detail = f"{n_missing} words have no probability and are left out"
        found.append(ScoreWarning(code="surprisal_missing", detail=detail))
    if rules.is_absolute and r < 0:
        detail = f"r is {r:.3f}: what surprises the model more is read faster; the protocol drops the sign"
        found.append(ScoreWarning(code="sign_dropped", detail=detail))
    if rules.word_probability == "boundary" and surprisals.boundary_bits is None:
        detail = f"word probabilities are plain sums: {surprisals.boundary_reason}"
        found.append(ScoreWarning(code="boundary_not_applicable", detail=detail))
    return (*found, *kind_warnings(surprisals.kind))


def kind_warnings(kind: SurprisalKind) -> tuple[ScoreWarning, ...]:
    """What has to be known of surprisals that are not those of a causal model."""
    if kind in (SurprisalKind.SEQ2SEQ, SurprisalKind.PSEUDO_LOG_LIKELIHOOD):
        detail = f"surprisals are of the kind {kind}, which is not ranked with causal ones"
        return (ScoreWarning(code=NOT_COMPARABLE, detail=detail),)
    if kind is SurprisalKind.IMPORTED:
        detail = "surprisals were brought as a file; how they were made is the bringer's word"
        return (ScoreWarning(code="imported", detail=detail),)
    return ()
