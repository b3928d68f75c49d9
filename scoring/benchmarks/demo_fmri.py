"""SYNTHETIC. A planted recording that shows the service at work without any download; it says nothing of brains."""

from ..datasets import demo_fmri
from ..metrics.outcome import PEARSON
from .base import Benchmark, Kind

BENCHMARK = Benchmark(
    name="demo-fmri",
    version=1,
    title="SYNTHETIC demonstration recording (planted, no brain was measured)",
    kind=Kind.BRAIN,
    metric=PEARSON,
    dataset="demo-fmri",
    synthetic=True,
    protocols=("grouped", "paper-2312.00575", "brain-score"),
    n_folds=4,
    data_sha256=demo_fmri.sha256,
    load=demo_fmri.load,
)
