"""The files of a reading corpus' version, written in one way however it was brought, and read again for scoring."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from ...errors import DataMalformed
from ...reliability import from_item_variance, split_half
from ...results import Ceiling
from ...types import Passage, Readings, ReadingTimes, Stimuli
from ..alignment import moved_on, shift_readings
from ..base import Experiment
from ..manifest import Alignment
from .corpus_material import (
    PARTICIPANT,
    WORDS_COLUMNS,
    WORDS_EXTRAS,
    WORDS_FILE,
    CorpusTimes,
    MeanTimes,
    SingleTimes,
    as_means,
    is_time,
    word_names,
)
from .findings import Findings
from .manifest import ReadingFacts
from .material import Table, n_rows
from .tables import read_table, write_table

READERS_FILE = "readers.csv"
READINGS_FILE = "readings.npy"
"""(n_readings, 3): row of the word, number of the reader, value."""

MEANS_FILE = "means.npy"
"""(n_words, 3): mean, number of readers, standard deviation; NaN where it is not known."""


def write_corpus(folder: Path, words: Table, times: CorpusTimes) -> tuple[str, ...]:
    """Write words and times; the names of the files."""
    numbered = {"story": words["story"], "word_index": _numbers_from_1(words["story"])}
    write_table(folder / WORDS_FILE, {**numbered, **{name: words[name] for name in words if name not in numbered}})
    if isinstance(times, MeanTimes):
        np.save(folder / MEANS_FILE, np.stack([times.means, times.n_readers, times.sd], axis=1))
        return MEANS_FILE, WORDS_FILE
    write_table(folder / READERS_FILE, {PARTICIPANT: times.readers})
    np.save(folder / READINGS_FILE, np.stack([times.words, times.owners, times.values], axis=1))
    return READERS_FILE, READINGS_FILE, WORDS_FILE


def read_corpus(folder: Path, facts: ReadingFacts, *, ceiling: Ceiling | None = None) -> Experiment:
    """The data that were written there; `ceiling` is computed where it is not known. Raises DataMalformed."""
    findings = Findings()
    words = read_table(folder / WORDS_FILE, WORDS_COLUMNS, WORDS_EXTRAS, findings)
    findings.require()
    assert words is not None
    times = _read_times(folder)
    return Experiment(
        stimuli=_stimuli(words),
        measured=_reading_times(words, times, facts),
        ceiling=ceiling or ceiling_of_times(times, words["story"], facts.alignment),
    )


def ceiling_of_times(times: CorpusTimes, stories: Sequence[str], alignment: Alignment) -> Ceiling:
    """The ceiling of correlations with the means: from halves of the readers where single readings are there.

    Of times that stand one word early those at a story's last word are of no word of it, and left out.
    """
    if isinstance(times, SingleTimes):
        readings = np.full((len(stories), len(times.readers)), np.nan)
        readings[times.words, times.owners] = times.values
        if alignment is Alignment.ORIGINAL:
            readings[[*(story != after for story, after in pairwise(stories)), True]] = np.nan
        return split_half(readings)
    if np.isnan(times.n_readers).all() or np.isnan(times.sd).all():
        return Ceiling.none("the means came without the number of readers and their standard deviation, n and sd")
    return from_item_variance(times.means, times.sd, times.n_readers)


def _read_times(folder: Path) -> CorpusTimes:
    try:
        if (folder / MEANS_FILE).is_file():
            means, n_readers, sd = np.load(folder / MEANS_FILE, allow_pickle=False).T
            return MeanTimes(means=means, n_readers=n_readers, sd=sd)
        words, owners, values = np.load(folder / READINGS_FILE, allow_pickle=False).T
    except (OSError, ValueError) as error:
        raise DataMalformed(f"{READINGS_FILE} or {MEANS_FILE} cannot be read") from error
    findings = Findings()
    readers = read_table(folder / READERS_FILE, (PARTICIPANT,), (), findings)
    findings.require()
    assert readers is not None
    return SingleTimes(
        readers=readers[PARTICIPANT],
        words=words.astype(np.intp),
        owners=owners.astype(np.intp),
        values=np.ascontiguousarray(values),
    )


def _reading_times(words: Table, times: CorpusTimes, facts: ReadingFacts) -> ReadingTimes:
    means = as_means(times, n_rows(words))
    is_original = facts.alignment is Alignment.ORIGINAL
    frequencies = words.get("log_frequency")
    return ReadingTimes(
        published=means.means,
        realigned=moved_on(means.means, words["story"]) if is_original else means.means,
        n_readers=means.n_readers,
        sd_ms=means.sd,
        n_participants=facts.n_participants,
        log_frequency=None if frequencies is None else np.array([float(cell) for cell in frequencies]),
        readings=_readings(times, words["story"], is_original=is_original) if is_time(facts.measure) else {},
    )


def _readings(times: CorpusTimes, stories: Sequence[str], *, is_original: bool) -> dict[str, Readings]:
    """Single readings by alignment; those that stand one word early, moved to the next word of their story."""
    if isinstance(times, MeanTimes):
        return {}
    published = Readings(words=times.words, readers=times.owners, times_ms=times.values)
    return {
        "published": published,
        "realigned": shift_readings(published, stories, 1) if is_original else published,
    }


def _stimuli(words: Table) -> Stimuli:
    rows = zip(words["story"], words["word"], strict=True)
    return Stimuli(
        ids=word_names(words),
        passages=tuple(
            Passage.join(story, [word for _, word in group]) for story, group in groupby(rows, key=lambda row: row[0])
        ),
        groups=words["story"],
    )


def _numbers_from_1(stories: Sequence[str]) -> list[int]:
    return [number for _, group in groupby(stories) for number, _ in enumerate(group, start=1)]
