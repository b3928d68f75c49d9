"""Natural Stories: the words in reading order and the mean time spent on each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from ..errors import DataMalformed
from ..reliability import from_item_variance, split_half
from ..results import Ceiling, CeilingMethod
from ..types import FloatArray, Passage, Readings, ReadingTimes, Stimuli
from .alignment import realigned
from .base import Experiment
from .download import DataStore
from .manifest import Dataset, dataset_named
from .single_readings import by_reader, readings_of

N_READERS = 180
"""Readers behind the means (the paper says 179)."""

CONSISTENCY = 0.858
"""Agreement between halves of the readers, as arXiv 2312.00575 divides by it."""


SINGLE_READINGS = "processed_RTs.tsv"
"""The file of readers' own times, which may be missing."""


def load(store: DataStore) -> Experiment:
    """Ten stories as passages of words, with published and realigned mean reading times in milliseconds.

    Where readers' own times are at hand they come with them, and the ceiling is that of halves of the readers.
    Raises DataMissing, DataChecksumMismatch; DataMalformed where words and times disagree, or the times contradict
    their declared alignment.
    """
    dataset = dataset_named("natural-stories")
    timing = dataset.file("processed_wordinfo.tsv")
    words = read_table(store.path(dataset, dataset.file("words.tok.tsv")))
    by_place = {(row["item"], row["zone"]): row for row in read_table(store.path(dataset, timing))}
    rows = [_timing_row(by_place, word) for word in words]
    means = _column(rows, "meanItemRT")
    stories = [word["item"] for word in words]
    lengths = np.array([len(word["word"]) for word in words], dtype=np.float64)
    if timing.alignment is None:
        raise DataMalformed(f"the manifest does not declare the alignment of {timing.name}")
    times = ReadingTimes(
        published=means,
        realigned=realigned(means, lengths, stories, timing.alignment),
        n_readers=_column(rows, "nItem"),
        sd_ms=_column(rows, "sdItemRT"),
        n_participants=N_READERS,
        log_frequency=_log_frequency(words, store.path(dataset, dataset.file("unigram_freqs.tsv"))),
        readings=_readings(store, dataset, words),
    )
    return Experiment(
        stimuli=_stimuli(words),
        measured=times,
        ceiling=_ceiling(times),
        consistency=Ceiling(value=CONSISTENCY, method=CeilingMethod.SPLIT_HALF_CONSISTENCY),
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated file in which quotation marks are part of the words."""
    with path.open(newline="", encoding="utf8") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def _timing_row(by_place: dict[tuple[str, str], dict[str, str]], word: dict[str, str]) -> dict[str, str]:
    place = (word["item"], word["zone"])
    if place not in by_place or by_place[place]["word"] != word["word"]:
        raise DataMalformed(f"no reading time for word {word['word']!r} at story {place[0]}, zone {place[1]}")
    return by_place[place]


def _column(rows: Sequence[dict[str, str]], name: str) -> FloatArray:
    return np.array([float(row[name]) for row in rows])


def _log_frequency(words: Sequence[dict[str, str]], table: Path) -> FloatArray:
    """ln(count + 1) of each word, 0 for one that the table does not count.

    The table has no head; its rows tell of words and of what they are made of, and those of whole words are named
    story.zone.word.
    """
    with table.open(newline="", encoding="utf8") as stream:
        rows = [row for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE) if row[0].endswith(".word")]
    counts = {row[0].removesuffix(".word"): float(row[3]) for row in rows}
    return np.log([counts.get(f"{word['item']}.{word['zone']}", 0.0) + 1 for word in words])


def _readings(store: DataStore, dataset: Dataset, words: Sequence[dict[str, str]]) -> dict[str, Readings]:
    """Readers' own times by alignment; none where the manifest does not know the file or it is not on this machine."""
    file = next((file for file in dataset.extras if file.name == SINGLE_READINGS), None)
    path = None if file is None else store.extra(dataset, file)
    if file is None or path is None:
        return {}
    if file.alignment is None:
        raise DataMalformed(f"the manifest does not declare the alignment of {file.name}")
    return readings_of(path, words, file.alignment)


def _ceiling(times: ReadingTimes) -> Ceiling:
    """What the true means reach: from halves of the readers, or from how far readers spread about each mean."""
    if not times.readings:
        return from_item_variance(times.published, times.sd_ms, times.n_readers)
    return split_half(by_reader(times.readings["realigned"], len(times.published)))


def _stimuli(words: Sequence[dict[str, str]]) -> Stimuli:
    return Stimuli(
        ids=tuple(f"{word['item']}.{word['zone']}" for word in words),
        passages=tuple(
            Passage.join(f"story-{story}", [word["word"] for word in group])
            for story, group in groupby(words, key=lambda word: word["item"])
        ),
        groups=tuple(f"story-{word['item']}" for word in words),
    )
