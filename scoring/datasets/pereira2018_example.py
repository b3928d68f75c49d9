"""One participant of Pereira et al. 2018: 627 sentences in two experiments, principal components of the voxels."""

from __future__ import annotations

import csv
from itertools import groupby

import numpy as np

from ..errors import DataMalformed
from ..recording import Recording, Units
from ..results import Ceiling
from ..types import FeatureArray, Passage, Stimuli
from .base import Experiment
from .download import DataStore
from .manifest import Dataset, dataset_named

N_COMPONENTS = 100
"""Of 1,000; they hold 71 % of the variance."""

PARTS = ("384sentences", "243sentences")


def load(store: DataStore, *, experiments: tuple[str, ...] = PARTS) -> Experiment:
    """Sentences in passages, topics as groups, the experiments as parts; recording (627, 100), or the rows of one.

    Raises DataMissing, DataChecksumMismatch; DataMalformed where the files disagree.
    """
    dataset = dataset_named("pereira2018-example")
    with store.path(dataset, dataset.file("stimuli.csv")).open(newline="", encoding="utf8") as stream:
        rows = list(csv.DictReader(stream))
    responses = np.load(store.path(dataset, dataset.file("responses.npy")), allow_pickle=False)
    if len(responses) != len(rows):
        raise DataMalformed(f"{len(rows)} sentences but {len(responses)} responses")
    kept = np.array([row["experiment"] in experiments for row in rows])
    static = _static(store, dataset, len(rows))
    rows = [row for row, is_kept in zip(rows, kept, strict=True) if is_kept]
    part_of_row = np.array([row["experiment"] for row in rows])
    return Experiment(
        stimuli=Stimuli(
            ids=tuple(row["stimulus_id"] for row in rows),
            passages=tuple(
                Passage.join(f"passage-{passage}", [row["text"] for row in group])
                for passage, group in groupby(rows, key=lambda row: row["passage"])
            ),
            groups=tuple(f"{row['experiment']}.{row['topic']}" for row in rows),
        ),
        measured=Recording.of(
            responses[kept, :N_COMPONENTS].astype(np.float64),
            Units.numbered(("example",) * N_COMPONENTS),
            {part: np.flatnonzero(part_of_row == part) for part in experiments},
        ),
        ceiling=Ceiling.none("one participant gives no inter-subject ceiling"),
        static=None if static is None else static[kept],
    )


def _static(store: DataStore, dataset: Dataset, n_stimuli: int) -> FeatureArray | None:
    """Mean GloVe vectors, (627, 300), where they are at hand."""
    path = store.extra(dataset, dataset.file("glove300.npy"))
    if path is None:
        return None
    vectors = np.load(path, allow_pickle=False)
    if len(vectors) != n_stimuli:
        raise DataMalformed(f"{n_stimuli} sentences but {len(vectors)} word vectors")
    return np.asarray(vectors, dtype=np.float32)
