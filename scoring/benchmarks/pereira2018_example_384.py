"""Pereira et al. 2018, one participant, the experiment of 384 sentences alone."""

from functools import partial

from ..datasets import pereira2018_example
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="pereira2018-example-384",
    version=1,
    title="Pereira 2018, one participant, 384 sentences (fMRI)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="pereira2018-example",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575", "brain-score", "passage-grouped", "shuffled"),
    n_folds=8,
    data_sha256=identity_of("pereira2018-example"),
    load=partial(pereira2018_example.load, experiments=("384sentences",)),
)
