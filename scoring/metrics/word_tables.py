"""From surprisals and times to the table of their words, by the rules that make the raw score."""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray

from ..column_table import Numbers
from ..protocols import ReadingRules
from ..responses import Surprisals
from ..types import FloatArray, IndexArray, ReadingTimes, Stimuli
from ..word_table import Reason, WordTable
from .reading_times import aligned_times, bits_by_rule, dropped_words
from .words import Words


def tabulate_words(surprisals: Surprisals, times: ReadingTimes, stimuli: Stimuli, rules: ReadingRules) -> WordTable:
    """Every word with what `correlate_reading_times` makes of it: r over the used rows is the raw score."""
    words, by_rule = Words.of(stimuli, times.log_frequency), bits_by_rule(surprisals, rules)
    has_time = np.isfinite(aligned_times(times)[rules.times])
    reasons = tuple(map(_reason, np.isfinite(by_rule[""]), has_time, dropped_words(words, rules)))
    unknown = np.full(len(stimuli), np.nan)
    are_known = surprisals.n_tokens > 0
    return WordTable(
        stimulus_id=stimuli.ids,
        story=stimuli.groups,
        word_index=tuple(words.zone.tolist()),
        word=stimuli.texts,
        surprisal_bits=_numbers(by_rule[""]),
        surprisal_bits_sum=_numbers(by_rule["_sum"]),
        n_tokens=_counts(surprisals.n_tokens, are_known),
        context_tokens=_counts(surprisals.context_tokens, are_known),
        time_published_ms=_numbers(times.published),
        time_realigned_ms=_numbers(times.realigned),
        log_frequency=_numbers(unknown if times.log_frequency is None else times.log_frequency),
        is_used=tuple(reason is None for reason in reasons),
        reason=reasons,
    )


def _reason(has_bits: np.bool_, has_time: np.bool_, is_dropped: np.bool_) -> Reason | None:
    if not has_bits:
        return Reason.NO_PROBABILITY
    if not has_time:
        return Reason.NO_TIME
    return Reason.BEGINS_SENTENCE if is_dropped else None


def _numbers(values: FloatArray) -> Numbers:
    return tuple(value if isfinite(value) else None for value in values.tolist())


def _counts(values: IndexArray, are_known: NDArray[np.bool_]) -> tuple[int | None, ...]:
    return tuple(int(value) if known else None for value, known in zip(values, are_known, strict=True))
