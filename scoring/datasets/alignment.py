"""Whether reading times stand at their words: what was declared, held against what the times themselves say.

People are slowed down by a long word where it stands and one or two words later, never before they have seen it. What
belongs here: shifting times and refusing a shift that the data contradict. What does not: reading files.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import DataMalformed
from ..metrics.correlation import pearson
from ..types import FloatArray, Readings
from .manifest import Alignment

LAGS = (-2, -1, 0, 1, 2)
"""How many words the time comes after the word whose length it is compared with."""

SHARE = 0.5
"""Lengths of a word that is read at that moment reach this share of the highest r; those of a later word do not."""

CLEAR = 6.0
"""Where the highest r is fewer standard errors above 0, nothing can be told."""

MINIMUM_WORDS = 50
"""Of fewer words nothing can be told either."""


def realigned(times: FloatArray, lengths: FloatArray, stories: Sequence[str], declared: Alignment) -> FloatArray:
    """Times moved to their words where they are declared to stand one word early, (n_words,) in milliseconds.

    `lengths` are those of the words in characters. Raises DataMalformed where the times contradict the declaration: a
    second shift would do harm that no score reveals.
    """
    require_standing(times, lengths, stories, declared)
    return moved_on(times, stories) if declared is Alignment.ORIGINAL else times


def require_standing(
    times: FloatArray, lengths: FloatArray, stories: Sequence[str], declared: Alignment
) -> Alignment | None:
    """How times, (n_words,), stand, None where it is not clear; raises DataMalformed where clearly not as declared."""
    found = standing(times, lengths, stories)
    if found is None or found is declared:
        return None if found is None else declared
    known = isinstance(found, Alignment)
    advice = f"declare `{found}`" if known else "times that come late have to be moved to their words first"
    shown = ", ".join(f"{lag:+d}: {r:.3f}" for lag, r in correlations(times, lengths, stories).items())
    raise DataMalformed(
        f"the reading times are declared {declared}, but do not stand as {declared} times do: r of word length and "
        f"time by lag is {shown}",
        hint=f"in times that stand at their words the length of the next word (lag -1) counts for little; {advice}",
    )


def standing(times: FloatArray, lengths: FloatArray, stories: Sequence[str]) -> Alignment | str | None:
    """How the times stand: early (`original`), at their words (`corrected`) or `late`; None where it is not clear."""
    known = np.isfinite(times)
    if known.sum() < MINIMUM_WORDS or np.ptp(lengths[known]) == 0 or np.ptp(times[known]) == 0:
        return None
    by_lag = correlations(times, lengths, stories)
    highest = max(by_lag.values())
    if highest * np.sqrt(known.sum()) < CLEAR:
        return None
    if by_lag[-1] >= SHARE * highest:
        return Alignment.ORIGINAL
    return Alignment.CORRECTED if by_lag[0] >= SHARE * highest else "late"


def correlations(times: FloatArray, lengths: FloatArray, stories: Sequence[str]) -> dict[int, float]:
    """r of times with the length of the word so many before in the same story, by lag."""
    return {lag: pearson(_shifted(lengths, stories, lag), times) for lag in LAGS}


def moved_on(times: FloatArray, stories: Sequence[str]) -> FloatArray:
    """Times recorded one word early, moved to their words: RT(z) = recorded(z − 1) within a story, else NaN.

    `times` is (n_words,) in milliseconds; `stories` names each word's story.
    """
    return _shifted(times, stories, 1)


def shift_readings(readings: Readings, stories: Sequence[str], n_words: int) -> Readings:
    """Readings moved so many words on within their stories; those that would leave their story are absent."""
    numbers, moved = _numbered(stories), readings.words + n_words
    stays = (moved >= 0) & (moved < len(numbers))
    stays[stays] = numbers[moved[stays]] == numbers[readings.words[stays]]
    return Readings(words=moved[stays], readers=readings.readers[stays], times_ms=readings.times_ms[stays])


def _shifted(values: FloatArray, stories: Sequence[str], lag: int) -> FloatArray:
    """The value of the word `lag` before in the same story, NaN where there is none; stories follow one another."""
    found, numbers = np.full(len(values), np.nan), _numbered(stories)
    here, there = slice(max(lag, 0), len(values) + min(lag, 0)), slice(max(-lag, 0), len(values) - max(lag, 0))
    found[here] = np.where(numbers[here] == numbers[there], values[there], np.nan)
    return found


def _numbered(stories: Sequence[str]) -> NDArray[np.intp]:
    return np.cumsum([0, *(story != before for before, story in pairwise(stories))])
