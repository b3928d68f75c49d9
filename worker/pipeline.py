"""The scoring process: without token, network or database. Read with the model what is not known, free it, fit.

Run as `python -m worker.pipeline FOLDER`; reads the order from the folder and leaves one answer per run there.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from scoring.benchmarks.base import Benchmark
from scoring.benchmarks.catalogue import Catalogue
from scoring.datasets.base import Experiment
from scoring.datasets.download import DataStore
from scoring.evaluate import asked_under, read
from scoring.protocols import protocol_named
from scoring.responses import Responses
from scoring.subjects.base import Subject
from scoring.subjects.planning import token_budget

from .cache import ResponseCache
from .child import Tell, end_with_supervisor, say
from .entries import response_key
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
from .fitting import Fitter, OnTable, Reading, reporter
from .score_tables import leave


def main(folder: Path) -> None:
    """Carry out the order in `folder`."""
    end_with_supervisor()
    order = ScoringOrder.read(folder / ORDER_FILE)
    for run, answer in answers(order, on_table=lambda run, table: leave(folder, run.id, table)):
        answer.write(run_answer_file(folder, run.id))
        say(Progress(stage=Stage.RECORD, fraction=0.0, run=run.id, ended=True))


def answers(
    order: ScoringOrder, *, on_table: OnTable = lambda run, table: None, tell: Tell = say
) -> Iterator[tuple[RunOrder, RunAnswer]]:
    """The answer of every run as soon as it is known; one run's failure leaves the others alone."""
    reader = _Reader(order, tell)
    readings: list[Reading] = []
    for run in order.runs:
        try:
            readings.append(reader.read(run))
        except _NotOpened as error:
            yield run, RunAnswer(failure=error.failure)
        except Exception as error:  # the boundary of the process: everything becomes an answer
            yield run, RunAnswer(failure=Failure.of(error))
    del reader
    gc.collect()
    fitter = Fitter(order.model.model_id, on_table=on_table, tell=tell)
    while readings:
        reading = readings.pop(0)
        yield reading[0], fitter.answer(reading)


class _NotOpened(Exception):
    """The model cannot be opened, which was found out once and holds for every run that needs it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class _Reader:
    """Gives the responses that runs ask for: known ones where there are any, else the model reads.

    The model is opened when it is first needed. Runs that ask the same of it share one reading.
    """

    def __init__(self, order: ScoringOrder, tell: Tell) -> None:
        self._order, self._tell = order, tell
        self._catalogue = Catalogue(order.own_dir)
        self._store = DataStore(cache=order.data_cache, mirror=order.data_mirror, offline=True)
        self._cache = ResponseCache(
            order.response_cache,
            limit_bytes=order.cache_bytes,
            keep_activations=order.keep_activations,
            warn=lambda text: tell(Progress(stage=Stage.EXTRACT, fraction=0.0, warning=text)),
        )
        self._known: dict[str, Responses] = {}
        self._computed: set[str] = set()
        self._model: Subject | None = None
        self._failure: Failure | None = None

    def read(self, run: RunOrder) -> Reading:
        """What the run is about, and the responses to it. Raises whatever stands in the way."""
        order, benchmark = self._order, self._catalogue.benchmark(run.benchmark, run.benchmark_version)
        experiment = asked_under(protocol_named(run.protocol), benchmark.experiment(self._store))
        key = response_key(
            experiment.stimuli,
            model=order.model,
            device=order.device,
            dtype=order.dtype,
            options=order.options,
            layers=benchmark.asks_layers,
            surprisal=benchmark.asks_surprisal,
        )
        responses = self._find(key, force=run.force)
        if responses is None:
            responses = self._compute(run, benchmark, experiment)
            if _is_as_planned(responses, order.device):
                responses = self._cache.keep(key, responses, experiment.stimuli)
            responses = responses.reduced()
            self._computed.add(key)
        else:
            detail = f"known responses to {len(experiment.stimuli)} stimuli of {run.benchmark}"
            reporter(run, Stage.EXTRACT, detail, tell=self._tell)
        self._known[key] = responses
        return run, benchmark, experiment, responses

    def _find(self, key: str, *, force: bool) -> Responses | None:
        """Known responses; with `force` only those that this process computed itself."""
        if key in self._computed or not force:
            return self._known.get(key) or self._cache.find(key)
        return None

    def _compute(self, run: RunOrder, benchmark: Benchmark, experiment: Experiment) -> Responses:
        model = self._open()
        detail = f"reading {len(experiment.stimuli)} stimuli of {run.benchmark}"
        report = reporter(run, Stage.EXTRACT, detail, tell=self._tell)
        return read(model, benchmark, experiment, on_progress=report)

    def _open(self) -> Subject:
        """The model, loaded at most once; transformers comes with it, which known responses do not need."""
        if self._failure is not None:
            raise _NotOpened(self._failure)
        if self._model is None:
            order = self._order
            detail = f"loading {order.model.model_id} in {order.dtype} on {order.device}"
            self._tell(Progress(stage=Stage.LOAD, fraction=0.0, detail=detail))
            try:
                from scoring.subjects.opening import open_subject

                self._model = open_subject(
                    order.model,
                    device=order.device,
                    dtype=order.dtype,
                    options=order.options,
                    n_halvings=order.n_halvings,
                )
            except Exception as error:  # kept without its traceback, which would keep the weights in memory
                self._failure = Failure.of(error)
                raise _NotOpened(self._failure) from None
        return self._model


def _is_as_planned(responses: Responses, device: str) -> bool:
    """Whether batches were cut as planned, or it does not matter: in bfloat16 smaller ones round otherwise.

    What memory forced into smaller batches is scored, and read again next time.
    """
    planned = token_budget(device)
    return (
        responses.conditions.get("token_budget", planned) == planned or responses.conditions.get("dtype") == "float32"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)  # every answer is on disk; taking torch apart would only take time
