"""Natural Stories: the words in reading order and the mean time spent on each."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np

from ..ceilings import from_item_variance
from ..errors import DataMalformed
from ..types import FloatArray, Passage, ReadingTimes, Stimuli
from .base import Experiment
from .download import DataStore
from .manifest import Alignment, dataset_named

N_READERS = 180
"""Readers behind the means (the paper says 179)."""


def load(store: DataStore) -> Experiment:
    """Ten stories as passages of words, with published and realigned mean reading times in milliseconds.

    Raises DataMissing, DataChecksumMismatch; DataMalformed where words and times disagree.
    """
    dataset = dataset_named("natural-stories")
    timing = dataset.file("processed_wordinfo.tsv")
    words = read_table(store.path(dataset, dataset.file("words.tok.tsv")))
    by_place = {(row["item"], row["zone"]): row for row in read_table(store.path(dataset, timing))}
    rows = [_timing_row(by_place, word) for word in words]
    means = _column(rows, "meanItemRT")
    stories = [word["item"] for word in words]
    if timing.alignment is None:
        raise DataMalformed(f"the manifest does not declare the alignment of {timing.name}")
    realigned = shift_back(means, stories) if timing.alignment is Alignment.ORIGINAL else means
    times = ReadingTimes(
        published=means,
        realigned=realigned,
        n_readers=_column(rows, "nItem"),
        sd_ms=_column(rows, "sdItemRT"),
        n_participants=N_READERS,
    )
    return Experiment(
        stimuli=_stimuli(words),
        measured=times,
        ceiling=from_item_variance(times.published, times.sd_ms, times.n_readers),
    )


def shift_back(times: FloatArray, stories: Sequence[str]) -> FloatArray:
    """Times recorded one word late, moved to their words: RT(z) = recorded(z − 1) within a story, else NaN.

    `times` is (n_words,) in milliseconds; `stories` names each word's story.
    """
    shifted = np.concatenate([[np.nan], times[:-1]])
    is_first = np.array([True, *(story != before for before, story in pairwise(stories))])
    shifted[is_first] = np.nan
    return shifted


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


def _stimuli(words: Sequence[dict[str, str]]) -> Stimuli:
    return Stimuli(
        ids=tuple(f"{word['item']}.{word['zone']}" for word in words),
        passages=tuple(
            Passage.join(f"story-{story}", [word["word"] for word in group])
            for story, group in groupby(words, key=lambda word: word["item"])
        ),
        groups=tuple(f"story-{word['item']}" for word in words),
    )
