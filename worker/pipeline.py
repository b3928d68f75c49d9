"""The scoring process: without token, network or database. Load the model once, read everything, free it, fit.

Run as `python -m worker.pipeline FOLDER`; reads the order from the folder and leaves one answer per run there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from scoring.benchmarks.base import benchmark_named
from scoring.datasets.base import Experiment
from scoring.datasets.download import DataStore
from scoring.evaluate import compare, read
from scoring.protocols import protocol_named
from scoring.subjects.fast_tokenizers import prove_tokenizer
from scoring.subjects.language_model import LanguageModel
from scoring.types import Responses, Score

from .child import end_with_supervisor, say
from .exchange import (
    ORDER_FILE,
    Failure,
    Progress,
    RunAnswer,
    RunOrder,
    ScoringOrder,
    Stage,
    run_answer_file,
)

Reading = tuple[RunOrder, Experiment, Responses]


def main(folder: Path) -> None:
    """Carry out the order in `folder`."""
    end_with_supervisor()
    order = ScoringOrder.read(folder / ORDER_FILE)
    for run, answer in answers(order):
        answer.write(run_answer_file(folder, run.id))
        say(Progress(stage=Stage.RECORD, fraction=0.0, run=run.id, ended=True))


def answers(order: ScoringOrder) -> Iterator[tuple[RunOrder, RunAnswer]]:
    """The answer of every run as soon as it is known; one run's failure leaves the others alone."""
    say(Progress(stage=Stage.LOAD, fraction=0.0, detail=f"loading {order.model_id} in {order.dtype} on {order.device}"))
    try:
        prove_tokenizer(order.folder)
        model = LanguageModel.from_folder(
            order.folder, identifier=order.model_id, device=order.device, dtype=order.dtype
        )
    except Exception as error:  # the boundary of the process: everything becomes an answer
        yield from ((run, RunAnswer(failure=Failure.of(error))) for run in order.runs)
        return
    store = DataStore(cache=order.data_cache, mirror=order.data_mirror, offline=True)
    readings: list[Reading] = []
    for run in order.runs:
        try:
            readings.append(_read(model, run, store))
        except Exception as error:
            yield run, RunAnswer(failure=Failure.of(error))
    del model
    gc.collect()
    for reading in readings:
        try:
            yield reading[0], RunAnswer(score=_compare(reading, subject=order.model_id))
        except Exception as error:
            yield reading[0], RunAnswer(failure=Failure.of(error))


def _read(model: LanguageModel, run: RunOrder, store: DataStore) -> Reading:
    benchmark = benchmark_named(run.benchmark)
    experiment = benchmark.experiment(store)
    report = _reporter(run, Stage.EXTRACT, f"reading {len(experiment.stimuli)} stimuli of {run.benchmark}")
    return run, experiment, read(model, benchmark, experiment, on_progress=report)


def _compare(reading: Reading, *, subject: str) -> Score:
    run, experiment, responses = reading
    return compare(
        responses,
        benchmark_named(run.benchmark),
        experiment,
        protocol_named(run.protocol),
        subject=subject,
        on_progress=_reporter(run, Stage.FIT, f"fitting {run.benchmark}"),
    )


def _reporter(run: RunOrder, stage: Stage, detail: str) -> Callable[[float], None]:
    def report(fraction: float) -> None:
        say(Progress(stage=stage, fraction=fraction, detail=detail, run=run.id))

    report(0.0)
    return report


if __name__ == "__main__":
    main(Path(sys.argv[1]))
