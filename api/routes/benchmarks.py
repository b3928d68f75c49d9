"""Benchmarks that this service knows, and whether their data are here."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from scoring.benchmarks.base import Benchmark as KnownBenchmark
from scoring.benchmarks.base import benchmark_named
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import dataset_named
from scoring.registry import Shelf, did_you_mean, names

from ..dependencies import SettingsDependency
from ..errors import BenchmarkNotFound
from ..requests import NoParameters
from ..schemas import Benchmark, BenchmarkDataset, ListOf

router = APIRouter(prefix="/v1/benchmarks", tags=["benchmarks"])


@router.get("")
def list_benchmarks(_: Annotated[NoParameters, Query()], settings: SettingsDependency) -> ListOf[Benchmark]:
    """All benchmarks, sorted by id."""
    found = [_view(benchmark_named(name), settings.data_store(offline=True)) for name in names(Shelf.BENCHMARKS)]
    return ListOf[Benchmark](data=found, next_page_token=None)


@router.get("/{benchmark_id}")
def get_benchmark(benchmark_id: str, _: Annotated[NoParameters, Query()], settings: SettingsDependency) -> Benchmark:
    """One benchmark."""
    known = names(Shelf.BENCHMARKS)
    if benchmark_id not in known:
        hint = did_you_mean(benchmark_id[:64], known) or "GET /v1/benchmarks lists them"
        raise BenchmarkNotFound("no benchmark has this id", hint=hint, param="benchmark_id")
    return _view(benchmark_named(benchmark_id), settings.data_store(offline=True))


def _view(benchmark: KnownBenchmark, store: DataStore) -> Benchmark:
    return Benchmark(
        id=benchmark.name,
        version=benchmark.version,
        title=benchmark.title,
        kind=benchmark.kind.value,
        metric=benchmark.metric,
        synthetic=benchmark.synthetic,
        protocols=list(benchmark.protocols),
        dataset=_dataset(benchmark, store),
        n_folds=benchmark.n_folds,
    )


def _dataset(benchmark: KnownBenchmark, store: DataStore) -> BenchmarkDataset:
    """Synthetic data are computed where they are needed, so they have no licence and are always ready."""
    dataset = None if benchmark.synthetic else dataset_named(benchmark.dataset)
    return BenchmarkDataset(
        name=benchmark.dataset,
        licence=dataset and dataset.licence,
        citation=dataset and dataset.citation,
        sha256=benchmark.data_sha256(),
        ready=dataset is None or store.is_ready(dataset),
    )
