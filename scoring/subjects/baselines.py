"""Features that know nothing of language, or only what any text shows: what a brain score has to be held against.

What belongs here: features made from stimuli alone. What does not: scoring them (`scoring.baselines`).
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

from ..recording import Timeline
from ..types import FeatureArray, Stimuli

OASM_WIDTHS = (0.1, 0.3, 0.6, 0.9, 1.8, 4.8)
"""Widths of the smoothing, in stimuli."""

N_RANDOM_FEATURES = 64

N_POSITIONS = 20


def oasm(stimuli: Stimuli, width: float) -> FeatureArray:
    """The identity matrix smoothed inside each passage by a Gaussian of this width: (n_stimuli, n_stimuli).

    It says which stimuli stand near one another and nothing else (Feghhi et al. 2024: orthogonal autocorrelated
    sequences model). At a passage's ends the Gaussian is reflected.
    """
    features, start = np.zeros((len(stimuli), len(stimuli)), dtype=np.float32), 0
    for passage in stimuli.passages:
        rows = slice(start, start + len(passage.spans))
        features[rows, rows] = gaussian_filter1d(np.eye(len(passage.spans)), width, mode="reflect")
        start = rows.stop
    return features


def nuisance(stimuli: Stimuli, timeline: Timeline | None = None) -> FeatureArray:
    """Words, characters, one column for each position in a passage, word rate: (n_stimuli, n_features).

    Positions from the 20th on share a column. The word rate, on a timeline, is the number of stimuli in a stimulus'
    moment.
    """
    counts = np.array([(len(text.split()), len(text)) for text in stimuli.texts], dtype=np.float64)
    positions = np.concatenate([np.arange(len(passage.spans)) for passage in stimuli.passages])
    places = np.eye(N_POSITIONS)[np.minimum(positions, N_POSITIONS - 1)]
    rate = np.zeros((len(stimuli), 0 if timeline is None else 1))
    for together in () if timeline is None else timeline.stimuli:
        rate[together] = len(together)
    return np.hstack([counts, places[:, np.ptp(places, axis=0) > 0], rate]).astype(np.float32)


def random(stimuli: Stimuli, *, seed: int) -> FeatureArray:
    """Independent Gaussian numbers: (n_stimuli, 64). What fitting reaches by itself, which is about zero."""
    return np.random.default_rng(seed).standard_normal((len(stimuli), N_RANDOM_FEATURES)).astype(np.float32)
