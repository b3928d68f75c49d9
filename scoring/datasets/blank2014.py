"""Blank et al. 2014: eight stories heard, twelve language regions of five participants every two seconds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..recording import Recording, Timeline, Units
from ..types import IndexArray, Stimuli
from .assembly import Assembly, gathered, joined, read_assembly
from .base import Experiment
from .download import DataStore
from .manifest import dataset_named


def load(store: DataStore) -> Experiment:
    """The words of each moment as stimuli, stories as passages, groups and runs; recording (1,317, 60).

    The file's responses are those of four seconds later, so that there is no delay. A moment without words shows what
    was heard last in its story. Raises DataMissing, DataChecksumMismatch, DataMalformed.
    """
    entry = dataset_named("blank2014")
    assembly = read_assembly(store.path(entry, entry.files[0]))
    assembly = assembly.select(gathered(assembly.labels("story")))
    texts, stories = assembly.texts("stimulus"), assembly.labels("story")
    spoken = [row for row, text in enumerate(texts) if text]
    ids = assembly.labels("stimulus_id")
    return Experiment(
        stimuli=Stimuli(
            ids=tuple(ids[row] for row in spoken),
            passages=joined([stories[row] for row in spoken], [texts[row] for row in spoken]),
            groups=tuple(stories[row] for row in spoken),
        ),
        measured=Recording.of(
            assembly.values,
            _units(assembly),
            timeline=Timeline(stimuli=heard_last(texts, stories), runs=stories, rows=np.arange(len(texts))),
        ),
        ceiling=None,
    )


def heard_last(texts: Sequence[str], stories: Sequence[str]) -> tuple[IndexArray, ...]:
    """For each moment the stimulus of its own, or the last one before it in its story; none before the first.

    Stimuli are the moments with a text, numbered in order.
    """
    found: list[IndexArray] = []
    number, last = -1, np.array([], dtype=np.intp)
    for moment, text in enumerate(texts):
        if moment and stories[moment] != stories[moment - 1]:
            last = np.array([], dtype=np.intp)
        if text:
            number += 1
            last = np.array([number])
        found.append(last)
    return tuple(found)


def _units(assembly: Assembly) -> Units:
    participants, regions = assembly.neuroid_labels("subject_id"), assembly.neuroid_labels("fROI_area")
    return Units(
        ids=tuple(f"{participant}.{region}" for participant, region in zip(participants, regions, strict=True)),
        participants=participants,
        regions=regions,
    )
