"""Natural Stories (Futrell et al. 2021): self-paced reading times of 10,256 words in ten stories."""

from ..datasets import natural_stories
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind, identity_of

BENCHMARK = Benchmark(
    name="futrell2018",
    version=2,
    title="Natural Stories: self-paced reading times",
    kind=Kind.READING,
    metric=PEARSON,
    dataset="natural-stories",
    synthetic=False,
    protocols=("grouped", "paper-2312.00575"),
    n_folds=0,
    data_sha256=identity_of("natural-stories"),
    load=natural_stories.load,
)
