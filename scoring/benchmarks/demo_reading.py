"""SYNTHETIC. Planted reading times that show the service at work without any download; no one read anything."""

from ..datasets import demo_reading
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind

BENCHMARK = Benchmark(
    name="demo-reading",
    version=2,
    title="SYNTHETIC demonstration reading times (planted, no one was measured)",
    kind=Kind.READING,
    metric=PEARSON,
    dataset="demo-reading",
    synthetic=True,
    protocols=("grouped",),
    n_folds=0,
    data_sha256=demo_reading.sha256,
    load=demo_reading.load,
)
