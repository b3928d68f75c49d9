"""Reading times as they were brought, in the shapes that everything about a reading corpus shares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...types import FloatArray, IndexArray
from .material import Table

WORDS_FILE = "words.csv"
TIMES_FILE = "times.csv"
WORDS_COLUMNS = ("story", "word_index", "word")
WORDS_EXTRAS = ("log_frequency",)
PARTICIPANT = "participant"
"""The column that says who read; without it a file holds means."""

SINGLE_COLUMNS = (PARTICIPANT, "story", "word_index")
MEAN_COLUMNS = ("story", "word_index")
SPREAD_COLUMNS = ("n", "sd")

DEFAULT_MEASURE = "time_ms"
MEAN_OF_DEFAULT = "mean_ms"
"""The column of means of the default measure; those of another bear its own name."""

TIME_SUFFIX, AMPLITUDE_SUFFIX = "_ms", "_uv"
"""How the name of a measure ends: in its unit."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SingleTimes:
    """What single readers needed, (n_readings,) each: `words` are rows of the words, `owners` numbers of the readers.

    Readings stand reader by reader, each reader's in the order of the words; `values` are all finite.
    """

    readers: tuple[str, ...]
    words: IndexArray
    owners: IndexArray
    values: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class MeanTimes:
    """Means over readers, (n_words,) each, NaN where nothing is known."""

    means: FloatArray
    n_readers: FloatArray
    sd: FloatArray


CorpusTimes = SingleTimes | MeanTimes


def is_time(measure: str) -> bool:
    """Whether a measure is a time, which is positive, and not an amplitude."""
    return measure.lower().endswith(TIME_SUFFIX)


def as_means(times: CorpusTimes, n_words: int) -> MeanTimes:
    """Mean, number and standard deviation (n − 1) of the readings of each word; NaN of fewer than two."""
    if isinstance(times, MeanTimes):
        return times
    n_readers = np.bincount(times.words, minlength=n_words).astype(np.float64)
    sums = np.bincount(times.words, weights=times.values, minlength=n_words)
    means = np.divide(sums, n_readers, out=np.full(n_words, np.nan), where=n_readers > 0)
    squares = np.bincount(times.words, weights=(times.values - means[times.words]) ** 2, minlength=n_words)
    variance = np.divide(squares, n_readers - 1, out=np.full(n_words, np.nan), where=n_readers > 1)
    return MeanTimes(means=means, n_readers=n_readers, sd=np.sqrt(variance))


def word_names(words: Table) -> tuple[str, ...]:
    """`story.word_index` of each word."""
    return tuple(f"{story}.{index}" for story, index in zip(words["story"], words["word_index"], strict=True))
