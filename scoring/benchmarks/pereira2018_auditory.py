"""Pereira et al. 2018 in auditory regions, which heard nothing: a control."""

from ..datasets import pereira2018_auditory
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="pereira2018-auditory",
    version=1,
    title="Pereira 2018, auditory regions (fMRI, control)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="pereira2018-auditory",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575", "brain-score", "passage-grouped", "shuffled"),
    n_folds=8,
    data_sha256=identity_of("pereira2018-auditory"),
    load=pereira2018_auditory.load,
)
