"""SYNTHETIC. Sentences made from a grammar, and a recording planted in what they say; no brain was measured."""

from __future__ import annotations

import hashlib
from itertools import product

import numpy as np

from ..recording import Recording, Units
from ..results import Ceiling
from ..types import FloatArray, Passage, Stimuli
from .base import Experiment
from .download import DataStore

SEED = 20260101
N_UNITS = 24
NOISE = 0.7
"""Standard deviation of the noise in units of the signal's."""

_TOPICS = {
    "harbour": ("boat", "sailor"),
    "kitchen": ("kettle", "cook"),
    "orchard": ("ladder", "farmer"),
    "station": ("train", "guard"),
    "school": ("desk", "pupil"),
    "workshop": ("hammer", "smith"),
    "library": ("shelf", "reader"),
    "market": ("basket", "seller"),
}
_OPENINGS = ("In the morning", "At noon", "Late in the evening")
_SENTENCES = (
    ("the {person} looked at the {thing}.", 0),
    ("the {person} carefully moved the old {thing} to the other side of the {topic}.", 1),
    ("nobody saw the {person} there.", 2),
    ("was the {thing} still there?", 3),
)


def load(_: DataStore) -> Experiment:
    """Eight topics of three passages of four sentences; recording (96, 24) of two made-up participants."""
    stimuli, design = _stimuli_and_design()
    half = N_UNITS // 2
    return Experiment(
        stimuli=stimuli,
        measured=Recording.of(
            _plant(design),
            Units.numbered(("synthetic-1",) * half + ("synthetic-2",) * half),
            {"synthetic": np.arange(len(stimuli))},
        ),
        ceiling=Ceiling.none("synthetic data: the recording was planted"),
    )


def sha256(_: DataStore) -> str:
    """Digest of the texts and the planted numbers."""
    stimuli, design = _stimuli_and_design()
    digest = hashlib.sha256("\n".join(stimuli.texts).encode())
    digest.update(np.round(_plant(design), 6).astype("<f8").tobytes())
    return digest.hexdigest()


def _stimuli_and_design() -> tuple[Stimuli, FloatArray]:
    """The sentences and, row by row, what the recording is planted in: (96, 5)."""
    passages, groups, design = [], [], []
    for (topic, (thing, person)), opening in product(_TOPICS.items(), _OPENINGS):
        texts = []
        for template, kind in _SENTENCES:
            sentence = template.format(topic=topic, thing=thing, person=person)
            texts.append(f"{opening}, {sentence}" if kind == 0 else sentence[0].upper() + sentence[1:])
            design.append([*(float(kind == k) for k in range(4)), len(texts[-1]) / 40])
        passages.append(Passage.join(f"{topic}-{_OPENINGS.index(opening)}", texts))
        groups += [topic] * len(texts)
    ids = tuple(f"{passage.name}.{index}" for passage in passages for index in range(len(passage.spans)))
    return Stimuli(ids=ids, passages=tuple(passages), groups=tuple(groups)), np.array(design)


def _plant(design: FloatArray) -> FloatArray:
    rng = np.random.default_rng(SEED)
    signal = design @ rng.standard_normal((design.shape[1], N_UNITS))
    signal = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    return np.asarray(signal + NOISE * rng.standard_normal(signal.shape))
