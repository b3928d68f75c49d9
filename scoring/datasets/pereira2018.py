"""Pereira et al. 2018: sentences in passages about topics, voxels of ten participants in one or two experiments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import DataMalformed
from ..recording import Recording
from ..types import Stimuli
from .assembly import Assembly, gathered, joined, read_assembly
from .base import Experiment
from .download import DataStore
from .manifest import dataset_named

EXPERIMENTS = ("384sentences", "243sentences")


def load(
    store: DataStore,
    *,
    experiments: Sequence[str] = EXPERIMENTS,
    dataset: str = "pereira2018",
    atlas: str = "language",
) -> Experiment:
    """Sentences in passages, topics as groups, experiments as parts; recording (627, 13,553 voxels of `atlas`).

    A participant without an experiment is NaN there and has no unit in that part. Raises DataMissing,
    DataChecksumMismatch, DataMalformed.
    """
    entry = dataset_named(dataset)
    assembly = _of_atlas(read_assembly(store.path(entry, entry.files[0])), atlas)
    assembly = assembly.select(_rows(assembly, experiments))
    part_of_row = np.asarray(assembly.labels("experiment"))
    return Experiment(
        stimuli=_stimuli(assembly),
        measured=Recording.of(
            assembly.values,
            assembly.units(participant="subject", unit="neuroid_id", region="roi"),
            {name: np.flatnonzero(part_of_row == name) for name in experiments},
        ),
        ceiling=None,
    )


def _of_atlas(assembly: Assembly, atlas: str) -> Assembly:
    """The voxels of an atlas, where the file says from which atlas each is."""
    if "atlas" not in assembly.neuroids:
        return assembly
    columns = np.flatnonzero(np.asarray(assembly.neuroid_labels("atlas")) == atlas)
    if not len(columns):
        raise DataMalformed(f"{assembly.name} has no neuroid whose atlas is {atlas!r}")
    return assembly.select(np.arange(len(assembly.values)), columns)


def _rows(assembly: Assembly, experiments: Sequence[str]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Rows of these experiments one after the other, passage by passage."""
    labels, passages = assembly.labels("experiment"), assembly.labels("passage_label")
    missing = [name for name in experiments if name not in labels]
    if missing:
        raise DataMalformed(f"{assembly.name} has no presentation of the experiment {missing[0]!r}")
    rows = []
    for name in experiments:
        own = np.flatnonzero(np.asarray(labels) == name)
        rows.append(own[gathered([passages[row] for row in own])])
    return np.concatenate(rows)


def _stimuli(assembly: Assembly) -> Stimuli:
    """Ids begin with their experiment, because two experiments may count from the same number."""
    experiments, ids = assembly.labels("experiment"), assembly.labels("stimulus_id")
    pairs = list(zip(experiments, assembly.labels("passage_label"), strict=True))
    return Stimuli(
        ids=tuple(
            one if one.startswith(experiment) else f"{experiment}.{one}"
            for experiment, one in zip(experiments, ids, strict=True)
        ),
        passages=joined([f"{experiment}.{passage}" for experiment, passage in pairs], assembly.texts("stimulus")),
        groups=assembly.labels("story"),
    )
