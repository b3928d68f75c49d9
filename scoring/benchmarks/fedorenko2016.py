"""Fedorenko et al. 2016: electrodes on the brain while sentences were read word by word."""

from ..datasets import fedorenko2016
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="fedorenko2016",
    version=1,
    title="Fedorenko 2016 (ECoG, words of sentences)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="fedorenko2016",
    synthetic=False,
    protocols=("grouped", "brain-score"),
    n_folds=10,
    data_sha256=identity_of("fedorenko2016"),
    load=fedorenko2016.load,
)
