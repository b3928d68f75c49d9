"""Pereira et al. 2018, one participant: fMRI of 627 sentences in two experiments, 100 principal components."""

from ..datasets import pereira2018_example
from ..datasets.manifest import dataset_named
from ..metrics.linear_predictivity import METRIC
from .base import Benchmark, Kind

BENCHMARK = Benchmark(
    name="pereira2018-example",
    version=1,
    title="Pereira 2018, one participant (fMRI, sentences)",
    kind=Kind.BRAIN,
    metric=METRIC,
    dataset="pereira2018-example",
    synthetic=False,
    protocols=("grouped",),
    n_folds=8,
    data_sha256=lambda: dataset_named("pereira2018-example").sha256,
    experiment=pereira2018_example.load,
)
