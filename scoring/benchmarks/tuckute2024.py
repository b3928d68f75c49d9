"""Tuckute et al. 2024: fMRI of 1,000 sentences, the mean of the language network."""

from ..datasets import tuckute2024
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="tuckute2024",
    version=1,
    title="Tuckute 2024 (fMRI, single sentences)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="tuckute2024",
    synthetic=False,
    protocols=("grouped", "brain-score"),
    n_folds=10,
    data_sha256=identity_of("tuckute2024"),
    load=tuckute2024.load,
)
