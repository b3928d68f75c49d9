"""One attempt at the runs of a claim: fetch, look what is known, score. Runs in the supervisor's thread.

What belongs here: which child process runs when, and what its answers mean. What is written about it: `ledger`.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import ValidationError

from scoring import SCORING_VERSION
from scoring.errors import ScoringError
from scoring.results import Score
from scoring.subjects import model_ids
from scoring.subjects.model_cache import in_use
from scoring.subjects.model_ids import Namespace
from scoring.subjects.sources import ResolvedModel
from storage.engine import Database
from storage.identity import Setting, Work, score_key
from storage.models import NewModel
from storage.runs import Claim, Run

from .child import Child, fetch_environment, scoring_environment
from .device import device_memory
from .exchange import (
    ANSWER_FILE,
    ORDER_FILE,
    Failure,
    FetchAnswer,
    FetchOrder,
    Message,
    Progress,
    RunAnswer,
    RunOrder,
    ScoringOrder,
    Stage,
    run_answer_file,
)
from .ledger import TICK_S, ClaimLost, Ledger, Result
from .settings import WorkerSettings
from .word_tables import collect

_log = logging.getLogger(__name__)


class Stopping(Exception):
    """The worker is asked to stop: hand the runs back."""


class Attempt:
    """The work on one claim, from a fresh work folder to the last record."""

    def __init__(
        self, claim: Claim, settings: WorkerSettings, database: Database, *, device: str, stopping: threading.Event
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._device = device
        self._stopping = stopping
        self._ledger = Ledger(claim, settings, database)
        self._folder = settings.work_folder / claim.token

    def run(self) -> None:
        """Bring every run of the claim to an end, back to the queue, or into other hands."""
        try:
            self._folder.mkdir(parents=True)
            with in_use(self._settings.model_cache, self._claim.token) as use_file:
                model = self._fetch(use_file)
                if model is not None:
                    self._answer_known(model)
                    self._score(model)
        except ClaimLost:
            _log.info("claim %s was lost; its work is dropped", self._claim.token)
        except Stopping:
            self._ledger.hand_back()
        except Exception as error:  # the boundary of an attempt: its runs must not wait for their leases to end
            _log.exception("an attempt at %s broke off", self._claim.model_id)
            self._ledger.fail(self._ledger.open_runs, Failure.of(error).model_copy(update={"retryable": True}))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _fetch(self, use_file: Path) -> ResolvedModel | None:
        """The model on this disk; None where it cannot be had, which ends every run."""
        store = self._settings.data_store(offline=False)
        order = FetchOrder(
            model_id=self._claim.model_id,
            revision=self._claim.requested_revision,
            benchmarks=tuple(run.benchmark for run in self._claim.runs),
            model_dir=self._settings.model_dir,
            model_cache=self._settings.model_cache,
            import_dir=self._settings.import_dir,
            data_cache=store.cache,
            data_mirror=store.mirror,
            own_dir=self._settings.own_dir,
            dtype=self._dtype,
            memory_bytes=device_memory(self._device),
            options=self._claim.options,
            hub=self._settings.hub_terms(use_file, is_last_attempt=self._ledger.is_last_attempt),
        )
        ending = self._attend("worker.fetch", order, fetch_environment(), first=Stage.RESOLVE)
        try:
            answer = FetchAnswer.read(self._folder / ANSWER_FILE)
        except (FileNotFoundError, ValidationError):
            self._ledger.fail(self._ledger.open_runs, _crash("fetch", ending))
            return None
        if answer.failure is not None:
            self._ledger.fail(self._ledger.open_runs, answer.failure)
        for run in self._ledger.open_runs:
            if run.benchmark in answer.run_failures:
                self._ledger.fail([run], answer.run_failures[run.benchmark])
        if answer.model is not None:
            self._ledger.remember(_new_model(answer.model, answer.blueprint))
        return answer.model

    def _answer_known(self, model: ResolvedModel) -> None:
        store = self._settings.data_store(offline=True)
        for run in self._ledger.open_runs:
            try:
                benchmark = self._settings.catalogue.benchmark(run.benchmark, run.benchmark_version)
                data_sha256 = benchmark.data_sha256(store)
            except ScoringError as error:
                self._ledger.fail([run], Failure.of(error))
                continue
            self._ledger.end_known(run, score_key(_work(run, model), dtype=self._dtype, data_sha256=data_sha256))

    def _score(self, model: ResolvedModel) -> None:
        """Compute and record what is still open."""
        open_runs = self._ledger.open_runs
        if not open_runs:
            return
        store = self._settings.data_store(offline=True)
        order = ScoringOrder(
            model=model,
            device=self._device,
            dtype=self._dtype,
            options=self._claim.options,
            data_cache=store.cache,
            data_mirror=store.mirror,
            own_dir=self._settings.own_dir,
            response_cache=self._settings.response_cache,
            cache_bytes=self._settings.cache_bytes,
            keep_activations=self._settings.keep_activations,
            runs=tuple(map(self._run_order, open_runs)),
        )
        ending = self._attend(
            "worker.pipeline",
            order,
            scoring_environment(self._folder),
            on_ended=lambda run_id: self._record(run_id, model),
        )
        self._ledger.fail(self._ledger.open_runs, _crash("scoring", ending))

    def _run_order(self, run: Run) -> RunOrder:
        catalogue = self._settings.catalogue
        benchmark = catalogue.benchmark(run.benchmark, run.benchmark_version)
        own = catalogue.own(run.benchmark, run.benchmark_version)
        setting = Setting(
            benchmark=benchmark.name,
            benchmark_version=benchmark.version,
            data_sha256=benchmark.data_sha256(self._settings.data_store(offline=True)),
            protocol=run.protocol,
            scoring_version=run.scoring_version,
        )
        ceiling, baselines = self._ledger.beside(setting)
        return RunOrder(
            id=run.id,
            benchmark=run.benchmark,
            benchmark_version=run.benchmark_version,
            protocol=run.protocol,
            force=run.force,
            ceiling=ceiling or (None if own is None else own.manifest.ceiling_of(run.protocol, run.scoring_version)),
            known_baselines=baselines,
        )

    @property
    def _dtype(self) -> str:
        if self._claim.model_id.startswith(f"{Namespace.IMPORTED}/"):
            return "float32"  # what was imported is held in it, whatever this worker's device is
        chosen = self._claim.options.get("dtype", "auto")
        return chosen if chosen != "auto" else ("bfloat16" if self._device == "cuda" else "float32")

    def _attend(
        self,
        module: str,
        order: Message,
        environment: Mapping[str, str],
        *,
        first: Stage | None = None,
        on_ended: Callable[[str], None] = lambda _: None,
    ) -> str:
        """Run a child to its end while the leases are renewed; how it ended. Raises ClaimLost, Stopping.

        `first` is the stage that every run is at before the child says anything; None: as before.
        """
        order.write(self._folder / ORDER_FILE)
        deadline = time.monotonic() + self._settings.run_timeout_s
        latest: dict[str | None, Progress] = {None: Progress(stage=first, fraction=0.0)} if first else {}
        next_tick = 0.0
        child = Child(module, self._folder, environment)
        try:
            while (lines := child.read(timeout_s=TICK_S / 4)) is not None:
                for line in lines:
                    if line.warning is not None:
                        _log.warning("scoring %s: %s", self._claim.model_id, line.warning)
                    elif line.ended and line.run is not None:
                        on_ended(line.run)
                    else:
                        latest[line.run] = line
                if self._stopping.is_set():
                    raise Stopping
                if time.monotonic() > deadline:
                    self._time_out()
                if time.monotonic() >= next_tick:
                    self._ledger.show(latest)
                    latest.clear()
                    next_tick = time.monotonic() + TICK_S
        finally:
            child.close()
        return child.ending

    def _record(self, run_id: str, model: ResolvedModel) -> None:
        """Put one run's answer into the database."""
        run = self._ledger.take(run_id)
        if run is None:
            return
        try:
            answer = RunAnswer.read(run_answer_file(self._folder, run_id))
        except (FileNotFoundError, ValidationError, ScoringError) as error:
            answer = RunAnswer(failure=Failure(code="internal", detail=f"the scoring process left no answer: {error}"))
        if answer.score is None:
            self._ledger.fail([run], answer.failure or Failure(code="internal", detail="the answer is empty"))
        else:
            result = Result(
                score=answer.score,
                revision=model.revision,
                dtype=self._dtype,
                words=collect(self._folder, run_id, answer.score),
                beside=[found for found in answer.baselines if _is_beside(found, answer.score)],
                needs_twins=self._settings.untrained_twins and _needs_twins(run),
            )
            self._ledger.record(run, result)

    def _time_out(self) -> None:
        detail = f"the run took longer than {self._settings.run_timeout_s:.0f} s"
        self._ledger.fail(self._ledger.open_runs, Failure(code="timeout", detail=detail))
        raise ClaimLost


def _new_model(model: ResolvedModel, blueprint: str | None) -> NewModel:
    return NewModel(
        id=model.model_id,
        revision=model.revision,
        family=model.family,
        architecture=model.architecture,
        parameters=model.parameters,
        n_layers=model.n_layers,
        width=model.width,
        signature=model.signature,
        blueprint=blueprint,
    )


def _is_beside(baseline: Score, score: Score) -> bool:
    """Whether a score is a baseline's, and on the same data in the same way: a child's word is not taken for it."""
    same = ("benchmark", "benchmark_version", "data_sha256", "protocol")
    is_reserved = baseline.subject.startswith(f"{Namespace.BASELINE}/")
    return is_reserved and all(getattr(baseline, name) == getattr(score, name) for name in same)


def _needs_twins(run: Run) -> bool:
    """Whether untrained twins belong beside a run's score: the model has weights to lose."""
    return model_ids.parse(run.model_id).namespace in (Namespace.HUB, Namespace.LOCAL, Namespace.DEMO)


def _work(run: Run, model: ResolvedModel) -> Work:
    return Work(
        model_id=run.model_id,
        revision=model.revision,
        benchmark=run.benchmark,
        benchmark_version=run.benchmark_version,
        protocol=run.protocol,
        seed=run.seed,
        scoring_version=SCORING_VERSION,
        options=run.options,
    )


def _crash(what: str, ending: str) -> Failure:
    return Failure(
        code="worker_lost",
        detail=f"the {what} process ended before its answer was there: {ending}",
        hint="the model may need more memory than this worker has",
        retryable=True,
    )
