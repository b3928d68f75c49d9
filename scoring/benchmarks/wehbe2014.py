"""Wehbe et al. 2014: fMRI of a chapter read word by word, all voxels of eight participants."""

from ..datasets import wehbe2014
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="wehbe2014",
    version=1,
    title="Wehbe 2014 (fMRI, a chapter read)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="wehbe2014",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575"),
    n_folds=4,
    data_sha256=identity_of("wehbe2014"),
    load=wehbe2014.load,
)
