"""Pereira et al. 2018: fMRI of sentences in two experiments, language regions of ten participants."""

from ..datasets import pereira2018
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="pereira2018",
    version=1,
    title="Pereira 2018 (fMRI, sentences)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="pereira2018",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575", "brain-score", "passage-grouped", "shuffled"),
    n_folds=8,
    data_sha256=identity_of("pereira2018"),
    load=pereira2018.load,
)
