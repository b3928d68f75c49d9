"""Pereira et al. 2018 in auditory regions: where nothing was heard, a control for what language regions show."""

from __future__ import annotations

from . import pereira2018
from .base import Experiment
from .download import DataStore


def load(store: DataStore) -> Experiment:
    """As `pereira2018`, with the 5,692 voxels of auditory regions. Raises the same errors."""
    return pereira2018.load(store, dataset="pereira2018-auditory", atlas="auditory")
