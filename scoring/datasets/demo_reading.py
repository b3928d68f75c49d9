"""SYNTHETIC. Six little stories and reading times planted in the length of their words; no one was measured."""

from __future__ import annotations

import hashlib

import numpy as np

from ..reliability import from_item_variance
from ..types import FloatArray, Passage, ReadingTimes, Stimuli
from .base import Experiment
from .download import DataStore

SEED = 20260102
N_READERS = 40
MS_PER_LETTER = 9.0
MS_FOR_A_REPEATED_WORD = -14.0
SD_OF_READERS_MS = 60.0

_STORIES = (
    "The fox wanted to cross the river before the rain came. She asked the heron for advice, but the heron only "
    "looked at the water and said nothing. So the fox built a small raft from reeds, and the raft carried her over.",
    "A clockmaker kept a clock that ran backwards. Every evening he set it right, and every morning it had gone back "
    "again. One day he let it run, and he found the letter that he had lost a year ago.",
    "There was once a lighthouse without a keeper. The lamp was lit by a girl who lived in the village below. When "
    "the storm broke the window she held her coat before the flame until the ships had passed.",
    "Two brothers shared a field. The older one ploughed in straight lines and the younger one in circles. In autumn "
    "the wheat stood equally high, and the neighbours argued about it through the whole winter.",
    "The baker sold a bread that nobody could finish. Whoever ate half of it felt full, and whoever ate the other "
    "half felt hungry again. The mayor ordered ten loaves for the feast and regretted it afterwards.",
    "On the last train of the day a man found a suitcase full of maps. Each map showed the same town, yet no two of "
    "them agreed. He stepped out at the next station and walked until he knew which one was true.",
)


def load(_: DataStore) -> Experiment:
    """Six stories; mean times of 40 made-up readers in milliseconds, the same under both alignments."""
    stimuli = _stimuli()
    means, sd_ms = _plant(stimuli)
    n_readers = np.full(len(stimuli), float(N_READERS))
    return Experiment(
        stimuli=stimuli,
        measured=ReadingTimes(
            published=means, realigned=means, n_readers=n_readers, sd_ms=sd_ms, n_participants=N_READERS
        ),
        ceiling=from_item_variance(means, sd_ms, n_readers),
    )


def sha256(_: DataStore) -> str:
    """Digest of the texts and the planted numbers."""
    stimuli = _stimuli()
    digest = hashlib.sha256("\n".join(_STORIES).encode())
    digest.update(np.round(_plant(stimuli), 6).astype("<f8").tobytes())
    return digest.hexdigest()


def _stimuli() -> Stimuli:
    passages = tuple(Passage.join(f"tale-{index}", story.split()) for index, story in enumerate(_STORIES, start=1))
    return Stimuli(
        ids=tuple(f"{passage.name}.{index}" for passage in passages for index in range(len(passage.spans))),
        passages=passages,
        groups=tuple(passage.name for passage in passages for _ in passage.spans),
    )


def _plant(stimuli: Stimuli) -> tuple[FloatArray, FloatArray]:
    """Means and standard deviations over the made-up readers, (n_words,) each, in milliseconds."""
    rng = np.random.default_rng(SEED)
    true = np.array(
        [
            300 + MS_PER_LETTER * len(word) + MS_FOR_A_REPEATED_WORD * repeated
            for word, repeated in zip(stimuli.texts, _repeated(stimuli), strict=True)
        ]
    )
    readers = true + SD_OF_READERS_MS * rng.standard_normal((N_READERS, len(true)))
    return readers.mean(axis=0), readers.std(axis=0, ddof=1)


def _repeated(stimuli: Stimuli) -> list[bool]:
    """For each word whether it has stood in its story before."""
    seen: set[tuple[str, str]] = set()
    repeated = []
    for word, story in zip(stimuli.texts, stimuli.groups, strict=True):
        repeated.append((story, word.lower()) in seen)
        seen.add((story, word.lower()))
    return repeated
