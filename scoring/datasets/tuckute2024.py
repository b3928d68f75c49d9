"""Tuckute et al. 2024: 1,000 sentences that have nothing to do with one another, the mean of the language network."""

from __future__ import annotations

from ..recording import Recording
from ..types import Stimuli
from .assembly import joined, read_assembly
from .base import Experiment
from .download import DataStore
from .manifest import dataset_named


def load(store: DataStore) -> Experiment:
    """Sentences, each its own passage and group; recording (1,000, 1), a mean over five participants.

    Raises DataMissing, DataChecksumMismatch, DataMalformed.
    """
    entry = dataset_named("tuckute2024")
    assembly = read_assembly(store.path(entry, entry.files[0]))
    names = tuple(f"sentence-{name}" for name in assembly.labels("stimulus_id"))
    return Experiment(
        stimuli=Stimuli(ids=names, passages=joined(names, assembly.texts("stimulus")), groups=names),
        measured=Recording.of(
            assembly.values, assembly.units(participant="subject_UID", unit="neuroid_id", region="roi")
        ),
        ceiling=None,
    )
