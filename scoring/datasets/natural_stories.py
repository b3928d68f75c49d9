"""Natural Stories: the words in reading order and the mean time spent on each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import numpy as np

from ..ceilings import from_item_variance
from ..errors import DataMalformed
from ..results import Ceiling, CeilingMethod
from ..types import FloatArray, Passage, ReadingTimes, Stimuli
from .alignment import realigned
from .base import Experiment
from .download import DataStore
from .manifest import dataset_named

N_READERS = 180
"""Readers behind the means (the paper says 179)."""

CONSISTENCY = 0.858
"""Agreement between halves of the readers, as arXiv 2312.00575 divides by it."""


def load(store: DataStore) -> Experiment:
    """Ten stories as passages of words, with published and realigned mean reading times in milliseconds.

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
    )
    return Experiment(
        stimuli=_stimuli(words),
        measured=times,
        ceiling=from_item_variance(times.published, times.sd_ms, times.n_readers),
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


def _stimuli(words: Sequence[dict[str, str]]) -> Stimuli:
    return Stimuli(
        ids=tuple(f"{word['item']}.{word['zone']}" for word in words),
        passages=tuple(
            Passage.join(f"story-{story}", [word["word"] for word in group])
            for story, group in groupby(words, key=lambda word: word["item"])
        ),
        groups=tuple(f"story-{word['item']}" for word in words),
    )
