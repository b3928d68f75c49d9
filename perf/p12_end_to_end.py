"""P12: a small real model on real reading times and a real recording, under every protocol, nothing known before."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from scoring.benchmarks.base import benchmark_named
from scoring.subjects.families.base import supported_model_types
from scoring.subjects.sources import resolve
from worker.exchange import RunOrder, ScoringOrder

from . import timing
from .scoring_process import carried_out
from .table import Row, at_most

LINE = "P12"
MODEL = "local/stories260K"
BENCHMARKS = ("futrell2018", "pereira2018-example")
NEEDED = ("BROCA_DATA_MIRROR", "BROCA_MODEL_DIR")
N_ROUNDS = 3


def measure() -> list[Row]:
    """Seconds of the scoring process from its start, with loading, reading, fits and all baselines."""
    work = f"{MODEL} on {' and '.join(BENCHMARKS)}, every protocol, cold"
    missing = [name for name in NEEDED if name not in os.environ]
    if missing:
        ours = f"{' and '.join(missing)} not set: no real files here"
        return [Row(line=LINE, work=work, figure=None, target=at_most(60, "{:.0f} s"), ours=ours)]
    mirror, models = (Path(os.environ[name]) for name in NEEDED)
    (seconds,) = timing.seconds_in_turns(lambda: _score(mirror, models), n_rounds=N_ROUNDS)
    return [Row(line=LINE, work=work, figure=seconds, target=at_most(60, "{:.0f} s"), ours=f"{seconds:.1f} s")]


def _score(mirror: Path, models: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "work").mkdir()
        model = resolve(MODEL, None, supported=supported_model_types(), model_dir=models, cache_dir=folder / "models")
        order = ScoringOrder(
            model=model,
            device="cpu",
            dtype="float32",
            options={},
            data_cache=folder / "data",
            data_mirror=mirror,
            response_cache=folder / "answers",
            cache_bytes=2**30,
            keep_activations=False,
            runs=tuple(
                RunOrder(id=f"{benchmark}.{protocol}", benchmark=benchmark, protocol=protocol)
                for benchmark in BENCHMARKS
                for protocol in benchmark_named(benchmark).protocols
            ),
        )
        carried_out(order, folder / "work")
