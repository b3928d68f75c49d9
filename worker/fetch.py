"""The fetch process: with network and token, without torch. It brings a model and data onto this machine.

Run as `python -m worker.fetch FOLDER`; reads the order from the folder and leaves the answer there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection
from pathlib import Path

from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.catalogue import Catalogue
from scoring.datasets.download import DataStore
from scoring.datasets.manifest import dataset_named
from scoring.errors import BenchmarkUnknown, DataMalformed
from scoring.subjects.blueprint import blueprint_of
from scoring.subjects.card import base_of
from scoring.subjects.families.base import family_of, supported_model_types
from scoring.subjects.hub_hosts import keep_to_public_hosts
from scoring.subjects.model_ids import Namespace
from scoring.subjects.options import ReadingOptions
from scoring.subjects.possible import require_possible
from scoring.subjects.sources import ResolvedModel, resolve

from .child import Tell, end_with_supervisor, say
from .exchange import ANSWER_FILE, ORDER_FILE, Failure, FetchAnswer, FetchOrder, Progress, Stage


def main(folder: Path) -> None:
    """Carry out the order in `folder`."""
    end_with_supervisor()
    order = FetchOrder.read(folder / ORDER_FILE)
    keep_to_public_hosts(os.environ.get("HF_ENDPOINT"), order.hub.hosts)
    fetch(order).write(folder / ANSWER_FILE)


def fetch(order: FetchOrder, *, tell: Tell = say) -> FetchAnswer:
    """Bring the model, then the data of each benchmark; every failure is kept to the runs that it spoils."""
    tell(Progress(stage=Stage.RESOLVE, fraction=0.0, detail=f"resolving {order.model_id}"))
    try:
        model = _model(order, tell)
    except Exception as error:  # the boundary of the process: everything becomes an answer
        return FetchAnswer(model=None, failure=Failure.of(error), run_failures={})
    store = DataStore(cache=order.data_cache, mirror=order.data_mirror)
    catalogue = Catalogue(order.own_dir)
    failures: dict[tuple[str, int], Failure] = {}
    for name, version in dict.fromkeys(order.benchmarks.values()):
        tell(Progress(stage=Stage.DOWNLOAD, fraction=0.95, detail=f"data of {name}"))
        try:
            benchmark = catalogue.benchmark(name, version)
            _require_possible(model, benchmark, order)
            if catalogue.own(name, version) is None:
                bring_data(benchmark, store)
        except Exception as error:  # one benchmark's trouble must not reach the other runs
            failures[name, version] = Failure.of(error)
    run_failures = {run_id: failures[wanted] for run_id, wanted in order.benchmarks.items() if wanted in failures}
    is_imported = model.model_type == Namespace.IMPORTED
    return FetchAnswer(
        model=model,
        failure=None,
        run_failures=run_failures,
        blueprint=None if is_imported else blueprint_of(model.folder),
        base=None if is_imported or model.seed is not None else base_of(model.folder),
    )


def bring_data(benchmark: Benchmark, store: DataStore) -> None:
    """Every file of a benchmark's data, checked. Raises DataMissing, DataChecksumMismatch."""
    if benchmark.synthetic:
        return
    dataset = store.at_hand(dataset_named(benchmark.dataset))
    for file in dataset.files:
        store.path(dataset, file)


def _require_possible(model: ResolvedModel, benchmark: Benchmark, order: FetchOrder) -> None:
    """Pass where the model can give what a benchmark asks for; what was imported is asked when it is opened."""
    if model.model_type != Namespace.IMPORTED:
        reading = ReadingOptions.from_mapping(order.options)
        require_possible(family_of(model.model_type).layout, reading, asks_surprisal=benchmark.asks_surprisal)


def _asks_nothing_but_surprisal(benchmarks: Collection[tuple[str, int]], catalogue: Catalogue) -> bool:
    """Whether a model without surprisals is of no use to any of these benchmarks; an unknown one says nothing."""
    try:
        return bool(benchmarks) and all(catalogue.benchmark(*wanted).asks_surprisal for wanted in benchmarks)
    except (BenchmarkUnknown, DataMalformed):
        return False


def _model(order: FetchOrder, tell: Tell) -> ResolvedModel:
    def report(fraction: float, detail: str) -> None:
        tell(Progress(stage=Stage.DOWNLOAD, fraction=0.9 * fraction, detail=detail))

    return resolve(
        order.model_id,
        order.revision,
        supported=supported_model_types(),
        model_dir=order.model_dir,
        cache_dir=order.model_cache,
        import_dir=order.import_dir,
        token=os.environ.get("HF_TOKEN"),
        endpoint=os.environ.get("HF_ENDPOINT"),
        dtype=order.dtype,
        memory_bytes=order.memory_bytes,
        options=order.options,
        timeout_s=order.hub.timeout_s,
        keeping=order.hub.keeping,
        asks_surprisal=_asks_nothing_but_surprisal(order.benchmarks.values(), Catalogue(order.own_dir)),
        on_progress=report,
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
