"""Fedorenko et al. 2016: sentences of eight words read word by word, electrodes on the brains of five participants."""

from __future__ import annotations

from ..recording import Recording
from ..types import Stimuli
from .assembly import gathered, joined, read_assembly
from .base import Experiment
from .download import DataStore
from .manifest import dataset_named


def load(store: DataStore) -> Experiment:
    """Words as stimuli, each read after those before it in its sentence; sentences as groups; recording (416, 97).

    Raises DataMissing, DataChecksumMismatch, DataMalformed.
    """
    entry = dataset_named("fedorenko2016")
    assembly = read_assembly(store.path(entry, entry.files[0]))
    assembly = assembly.select(gathered(assembly.labels("sentence_id")))
    sentences = tuple(f"sentence-{name}" for name in assembly.labels("sentence_id"))
    return Experiment(
        stimuli=Stimuli(
            ids=assembly.labels("stimulus_id"),
            passages=joined(sentences, assembly.texts("stimulus")),
            groups=sentences,
        ),
        measured=Recording.of(assembly.values, assembly.units(participant="subject_UID", unit="neuroid_id")),
        ceiling=None,
    )
