"""Blank et al. 2014: fMRI of stories that were heard, language regions of five participants."""

from ..datasets import blank2014
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="blank2014",
    version=1,
    title="Blank 2014 (fMRI, stories heard)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="blank2014",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575", "brain-score"),
    n_folds=8,
    data_sha256=identity_of("blank2014"),
    load=blank2014.load,
)
