"""One attempt at the runs of a claim: fetch, look what is known, score. Runs in the supervisor's thread.

What belongs here: which child process runs when, and what its answers mean. What is written about it: `ledger`.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from scoring.errors import ModelCacheBusy, ScoringError
from scoring.subjects.model_cache import in_use
from scoring.subjects.sources import ResolvedModel
from storage.engine import Database
from storage.errors import DatabaseUnavailable
from storage.identity import Setting, score_key
from storage.runs import Claim, Run
from storage.workers import Worker

from .attendance import Limits, attend
from .belongings import is_beside, losses, measured, needs_twins, new_model, work_of
from .child import Child, fetch_environment, scoring_environment
from .device import device_memory, dtype_of, memory_limit
from .exchange import (
    ANSWER_FILE,
    ORDER_FILE,
    Failure,
    FetchAnswer,
    FetchOrder,
    Progress,
    RunAnswer,
    RunOrder,
    ScoringOrder,
    Stage,
    run_answer_file,
)
from .ledger import TICK_S, ClaimLost, Ledger, Result
from .score_tables import collect
from .settings import WorkerSettings

MAX_WARNINGS = 20
"""Warnings of one attempt that reach the log."""

CACHE_PATIENCE_S = 10.0
"""How long a claim waits for the model cache at the most, while others change it."""

_log = logging.getLogger(__name__)


class Stopping(Exception):
    """The worker is asked to stop: hand the runs back."""


class Attempt:
    """The work on one claim, from a fresh work folder to the last record."""

    def __init__(
        self, claim: Claim, settings: WorkerSettings, database: Database, *, here: Worker, stopping: threading.Event
    ) -> None:
        self._claim = claim
        self._settings = settings
        self._device = here.device
        self._memory_limit = memory_limit(settings.max_memory_bytes)
        self._n_warnings = 0
        self._stopping = stopping
        self._ledger = Ledger(claim, settings, database, here=here)
        self._folder = settings.work_folder / claim.token

    def run(self) -> None:
        """Bring every run of the claim to an end, back to the queue, or into other hands."""
        try:
            self._folder.mkdir(parents=True)
            with in_use(self._settings.model_cache, self._claim.token, timeout_s=self._patience_s) as use_file:
                model = self._fetch(use_file)
                if model is not None:
                    self._answer_known(model)
                    self._score(model)
        except ClaimLost:
            _log.info("claim %s was lost; its work is dropped", self._claim.token)
        except (Stopping, DatabaseUnavailable):
            self._last(self._ledger.hand_back)
        except ModelCacheBusy as busy:
            _log.warning("the runs of %s are given back: %s", self._claim.model_id, busy)
            self._last(lambda: self._ledger.hand_back(delay_s=self._settings.backoff_s))
        except Exception as error:  # the boundary of an attempt: its runs must not wait for their leases to end
            _log.exception("an attempt at %s broke off", self._claim.model_id)
            failure = _unforeseen(error)
            self._last(lambda: self._ledger.fail(self._ledger.open_runs, failure))
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def _patience_s(self) -> float:
        """How long the model cache is waited for: not until the leases end, which nobody renews meanwhile."""
        return min(CACHE_PATIENCE_S, self._settings.lease_s / 3)

    def _last(self, write: Callable[[], None]) -> None:
        """The last that is written about the claim, if it is not lost meanwhile."""
        try:
            write()
        except ClaimLost:
            _log.info("claim %s was lost before its end was written", self._claim.token)

    def _fetch(self, use_file: Path) -> ResolvedModel | None:
        """The model on this disk; None where it cannot be had, which ends every run."""
        store = self._settings.data_store(offline=False)
        order = FetchOrder(
            model_id=self._claim.model_id,
            revision=self._claim.requested_revision,
            benchmarks={run.id: (run.benchmark, run.benchmark_version) for run in self._claim.runs},
            model_dir=self._settings.model_dir,
            model_cache=self._settings.model_cache,
            import_dir=self._settings.import_dir,
            data_cache=store.cache,
            data_mirror=store.mirror,
            own_dir=self._settings.own_dir,
            dtype=self._dtype,
            memory_bytes=device_memory(self._device, limit=self._memory_limit),
            options=self._claim.options,
            hub=self._settings.hub_terms(use_file, is_last_attempt=self._ledger.is_last_attempt),
        )
        order.write(self._folder / ORDER_FILE)
        ending = self._attend(Child("worker.fetch", self._folder, fetch_environment()), first=Stage.RESOLVE)
        try:
            answer = FetchAnswer.read(self._folder / ANSWER_FILE)
        except (OSError, ValueError):
            self._ledger.fail(self._ledger.open_runs, ending)
            return None
        if answer.failure is not None:
            self._ledger.fail(self._ledger.open_runs, answer.failure)
        for run in self._ledger.open_runs:
            if run.id in answer.run_failures:
                self._ledger.fail([run], answer.run_failures[run.id])
        if answer.model is not None:
            self._ledger.remember(new_model(answer.model, answer.blueprint), measured(answer.model, answer.base))
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
            self._ledger.end_known(run, score_key(work_of(run, model), dtype=self._dtype, data_sha256=data_sha256))

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
            n_halvings=self._claim.n_halvings,
            runs=tuple(map(self._run_order, open_runs)),
        )
        order.write(self._folder / ORDER_FILE)
        child = Child("worker.pipeline", self._folder, scoring_environment(self._folder), confined=True)
        ending = self._attend(child, on_ended=lambda run_id: self._record(run_id, model))
        self._ledger.fail(self._ledger.open_runs, ending)

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
        return dtype_of(self._claim.model_id, self._claim.options, device=self._device)

    def _attend(
        self,
        child: Child,
        *,
        first: Stage | None = None,
        on_ended: Callable[[str], None] = lambda _: None,
    ) -> Failure:
        """Run a child to its end while the leases are renewed; what that means for runs without an answer.

        `first` is the stage that every run is at before the child says anything; None: as before. Raises ClaimLost,
        Stopping.
        """
        latest: dict[str | None, Progress] = {None: Progress(stage=first, fraction=0.0)} if first else {}
        known = {None, *(run.id for run in self._claim.runs)}
        next_tick = 0.0

        def each_turn(lines: list[Progress]) -> bool:
            nonlocal next_tick
            for line in lines:
                if line.warning is not None:
                    self._warn(line.warning)
                elif line.ended and line.run is not None:
                    on_ended(line.run)
                elif line.run in known:
                    latest[line.run] = line
            if self._stopping.is_set():
                raise Stopping
            if time.monotonic() >= next_tick:
                self._ledger.show(latest)
                latest.clear()
                next_tick = time.monotonic() + TICK_S
            return bool(self._ledger.open_runs)

        limits = Limits(timeout_s=self._settings.run_timeout_s, memory_bytes=self._memory_limit)
        return attend(child, limits, each_turn=each_turn)

    def _warn(self, text: str) -> None:
        """A child's warning in the log; a child that warns without end is heard so often and no more."""
        self._n_warnings += 1
        if self._n_warnings <= MAX_WARNINGS:
            _log.warning("scoring %s: %s", self._claim.model_id, text)

    def _record(self, run_id: str, model: ResolvedModel) -> None:
        """Put one run's answer into the database; what goes wrong with it must not reach the other runs."""
        run = self._ledger.open_run(run_id)
        if run is None:
            return
        try:
            self._end_as_answered(run, model)
        except (ClaimLost, DatabaseUnavailable):
            raise
        except Exception as error:
            _log.exception("the answer of run %s could not be recorded", run_id)
            self._ledger.fail([run], _unforeseen(error))

    def _end_as_answered(self, run: Run, model: ResolvedModel) -> None:
        try:
            answer = RunAnswer.read(run_answer_file(self._folder, run.id))
        except (OSError, ValueError, ScoringError) as error:  # of its text nothing is repeated: it may be of any file
            detail = f"the scoring process left no answer that can be read ({type(error).__name__})"
            answer = RunAnswer(failure=Failure(code="internal", detail=detail))
        if answer.score is None:
            failure = answer.failure or Failure(code="internal", detail="the answer is empty")
            self._ledger.fail([run], failure.model_copy(update={"retry_after_s": 0.0}))  # it has no hub to wait for
        else:
            result = Result(
                score=answer.score,
                revision=model.revision,
                dtype=self._dtype,
                tables=collect(self._folder, run.id, answer.score),
                beside=[found for found in answer.baselines if is_beside(found, answer.score)],
                needs_twins=self._settings.untrained_twins and needs_twins(run, answer.score),
                said=losses(run, answer.score, model.revision),
            )
            self._ledger.record(run, result)


def _unforeseen(error: Exception) -> Failure:
    """What an error means that is a fault of ours: another attempt may meet it no more."""
    return Failure.of(error).model_copy(update={"retryable": True})
